// Merges the lanes of one shard into one stream in which no effect comes before its cause.
#ifndef BITACTOR_L2_MAILBOX_CAUSAL_MERGE_H_
#define BITACTOR_L2_MAILBOX_CAUSAL_MERGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l2_mailbox/frame_queue.h"
#include "bitactor/l2_mailbox/quarantine.h"
#include "bitactor/l2_mailbox/stamp_tournament.h"

namespace bitactor::internal {

// The consumer's end of one lane: the ring, and before it what was spilled from it to make room.
// Indices count frames since the lane was opened. next <= ring_next <= tail; [next, ring_next) are
// spilled. `Lane` is SpscLane<Frame>, or one that a test can interrupt.
template <typename Lane>
class LaneReader {
 public:
  // `own`: the shard's lane to itself, whose tail is its own doing and counts as seen at once.
  LaneReader(Lane* ring, bool own, bool spillable, LaneOrigin origin)
      : ring_(ring), own_(own), spillable_(spillable), origin_(origin) {}

  bool own() const { return own_; }
  uint64_t next() const { return next_; }
  uint64_t seen() const { return seen_; }
  uint64_t tail() const { return tail_; }
  bool HasFrames() const { return next_ != ring_->ReadTail(); }
  uint64_t published() const { return ring_->ReadTail(); }
  size_t spilled() const { return spill_.size(); }
  // Frames published and not yet popped.
  uint64_t Waiting() const { return ring_->ReadTail() - next_; }
  const LaneOrigin& origin() const { return origin_; }
  // Of the first frame that waits; 0: there is none, or none that was looked at and is sound.
  uint64_t OldestStamp() {
    if (next_ == tail_) return 0;
    const FrameHeader& header = (next_ < ring_next_ ? spill_.Front() : ring_->At(next_)).header;
    return header.kind != FrameKind::kNone ? header.stamp_ns : 0;
  }

  // Reads the tail and checks every frame that it newly shows. Faulty ones are handed to
  // `on_fault(frame, fault, origin)` and passed over from then on. Returns the stamp of the first
  // sound new frame, or ~0. Neither this nor RunLane() is inlined: a pass would have too few registers
  // for both.
  template <typename OnFault>
  [[gnu::noinline]] uint64_t Look(OnFault&& on_fault) {
    seen_ = tail_;
    const uint64_t tail = ring_->ReadTail();
    uint64_t first_stamp = std::numeric_limits<uint64_t>::max();
    uint64_t next = tail_;
    while (next < tail) {
      if (next + 4 <= tail && FourAreSound(next)) [[likely]] {
        if (first_stamp == std::numeric_limits<uint64_t>::max()) {
          first_stamp = ring_->At(next).header.stamp_ns;
        }
        next += 4;
        continue;
      }
      Frame& frame = ring_->At(next++);
      const LaneFault fault = Check(frame.header);
      if (fault != LaneFault::kSound) [[unlikely]] {
        on_fault(frame, fault, origin_);
        frame.header.kind = FrameKind::kNone;
        frame.header.size_bytes = 0;
        continue;
      }
      if (first_stamp == std::numeric_limits<uint64_t>::max()) first_stamp = frame.header.stamp_ns;
    }
    tail_ = tail;
    if (own_) {
      seen_ = tail_;
      return std::numeric_limits<uint64_t>::max();
    }
    return first_stamp;
  }

  // Shows every frame that is published and not yet popped, in order; those that were not looked at yet
  // too, if they are sound. REQUIRES: no pass runs.
  template <typename Visit>
  void VisitWaiting(Visit&& visit) {
    const uint64_t end = ring_->ReadTail();
    for (uint64_t i = next_; i < end; ++i) {
      const Frame& frame =
          i < ring_next_ ? spill_.At(static_cast<size_t>(i - next_)) : ring_->At(i);
      if (i < tail_ ? frame.header.kind == FrameKind::kNone
                    : CheckShape(frame.header) != LaneFault::kSound ||
                          FrameChecksum(frame.header) != frame.header.crc32c) {
        continue;
      }
      visit(frame);
    }
  }

  // The next sound frame below `seen`, or nullptr.
  Frame* Head() {
    while (next_ < seen_) {
      Frame& frame = next_ < ring_next_ ? spill_.Front() : ring_->At(next_);
      if (frame.header.kind != FrameKind::kNone) [[likely]]
        return &frame;
      Pop();
    }
    return nullptr;
  }
  void Pop() {
    if (next_ < ring_next_) [[unlikely]] {
      spill_.PopFront();
    } else {
      ring_next_ = next_ + 1;
    }
    ++next_;
  }
  // Gives the slots of what was popped or spilled back to the producer.
  void Release() {
    if (released_ != ring_next_) {
      released_ = ring_next_;
      ring_->Release(ring_next_);
    }
  }
  // Moves what the ring holds into the spill, so that a producer that waits for room gets it. Order
  // is kept: spilled frames stay before the ring's. Frames not yet looked at stay, for their check
  // is Look()'s. Returns how many moved.
  size_t Spill() {
    if (!spillable_) return 0;
    const uint64_t begin = ring_next_;
    for (; ring_next_ < tail_; ++ring_next_) spill_.PushBack(ring_->At(ring_next_));
    Release();
    return static_cast<size_t>(ring_next_ - begin);
  }

 private:
  // What the last sound frame of an outside port's lane leaves for the next: both rise. A stamp
  // with the top bit set is after the year 2262 and would leave the clock no room.
  struct Last {
    uint64_t message_id = 0;
    uint64_t stamp_ns = 0;

    LaneFault Next(const FrameHeader& header, uint32_t source) {
      if (header.source != source) return LaneFault::kSource;
      if (header.message_id <= message_id || header.stamp_ns <= stamp_ns ||
          header.stamp_ns >> 63 != 0) {
        return LaneFault::kOrder;
      }
      message_id = header.message_id;
      stamp_ns = header.stamp_ns;
      return LaneFault::kSound;
    }
  };

  static LaneFault CheckShape(const FrameHeader& header) {
    if (header.size_bytes > kMaxPayloadBytes) return LaneFault::kSize;
    if (header.kind == FrameKind::kNone || header.kind > kLastLaneKind) return LaneFault::kKind;
    return LaneFault::kSound;
  }
  LaneFault Check(const FrameHeader& header) {
    const LaneFault fault = CheckShape(header);
    if (fault != LaneFault::kSound) return fault;
    if (FrameChecksum(header) != header.crc32c) return LaneFault::kChecksum;
    return origin_.source != 0 ? last_.Next(header, origin_.source) : LaneFault::kSound;
  }
  // Whether the four frames from `index` on are all sound; their checksums take little longer than
  // one's.
  bool FourAreSound(uint64_t index) {
    const FrameHeader* headers[4];
    for (uint64_t i = 0; i < 4; ++i) {
      headers[i] = &ring_->At(index + i).header;
      if (CheckShape(*headers[i]) != LaneFault::kSound) return false;
    }
    uint32_t checksums[4];
    FrameChecksums4(headers, checksums);
    uint32_t differences = 0;
    for (int i = 0; i < 4; ++i) differences |= checksums[i] ^ headers[i]->crc32c;
    if (differences != 0) [[unlikely]]
      return false;
    if (origin_.source == 0) return true;
    Last last = last_;
    for (const FrameHeader* header : headers) {
      if (last.Next(*header, origin_.source) != LaneFault::kSound) [[unlikely]]
        return false;
    }
    last_ = last;
    return true;
  }

  Lane* ring_;
  bool own_;
  bool spillable_;
  const LaneOrigin origin_;
  Last last_;
  uint64_t next_ = 0;       // first frame not delivered
  uint64_t ring_next_ = 0;  // first frame still in the ring
  uint64_t released_ = 0;
  uint64_t seen_ = 0;  // A: the tail read in the previous pass
  uint64_t tail_ = 0;  // B: the tail read in this one
  FrameQueue spill_;
};

// Order: if y happened before m, y is delivered before m; frames of one lane in their order; ties
//   by lane number.
// Threads: the owner shard's alone.
// Progress: a frame is held while a lane shows a new first frame with a lower stamp; stamps in a
//   lane rise strictly, so that happens finitely often. Lanes that stay empty hold nobody.
// Bounds: one pass delivers at most `limit` frames.
//
// Why it is right. Let A be the tails of the previous pass, B those read now, s* the least stamp
// among the first frames that are new (in [A, B)). A pass delivers, in (stamp, lane) order, frames
// below A with stamp < s*.
//   M1  Senders: a stamp is above every stamp that the sender has sent or received before.
//   M2  A sender publishes an earlier send before a later one, whatever their lanes (or defers only
//       within one lane).
//   M3  If y happened before m and the pass for A saw m, then y was published before m, so the pass
//       for B sees y.
//   M4  Then y is below A as well and sorts first by M1, or y is new and s* <= y.stamp < m.stamp
//       holds m back.
// The shard's own lane needs no second look: whatever happened before a frame of its own was
// delivered here before. docs/memory_model.md has the proof, with full lanes, spills and new lanes.
template <typename Lane>
class BasicCausalMerge {
 public:
  using Reader = LaneReader<Lane>;

  // Lanes are added in the order of their ports' numbers, which breaks ties, and are never removed.
  Reader& AddLane(Lane* ring, bool own, bool spillable, LaneOrigin origin = {}) {
    lanes_.push_back(std::make_unique<Reader>(ring, own, spillable, origin));
    heads_.Reserve(lanes_.size());
    if (own) own_ = lanes_.back().get();
    return *lanes_.back();
  }
  const std::vector<std::unique_ptr<Reader>>& lanes() const { return lanes_; }

  // Looks at every lane, then delivers. `deliver(Frame&)` returns false to end the pass after this
  // frame. Returns the number of frames that were delivered or newly seen: 0 means that there was
  // nothing to do.
  template <typename Deliver, typename OnFault>
  size_t Pass(size_t limit, Deliver&& deliver, OnFault&& on_fault) {
    uint64_t bound = kNever;
    size_t work = 0;
    heads_.Clear();
    Reader* last = nullptr;  // that has something below A, and its first frame
    Frame* last_head = nullptr;
    for (size_t i = 0; i < lanes_.size(); ++i) {
      Reader& lane = *lanes_[i];
      if (!lane.HasFrames()) continue;  // all that it ever showed is delivered
      const uint64_t before = lane.tail();
      const uint64_t first_new = lane.Look(on_fault);
      work += lane.tail() - before;
      bound = std::min(bound, first_new);
      Frame* const head = lane.Head();
      lane.Release();  // faulty frames before the head were popped without a delivery
      if (head == nullptr) continue;
      heads_.Enter(head->header.stamp_ns, static_cast<uint32_t>(i));
      last = &lane;
      last_head = head;
    }
    if (last == nullptr || limit == 0) return work;
    Run passing{.limit = limit};
    if (heads_.entered() == 1) {  // no contest
      if (last_head->header.stamp_ns < bound) RunLane(*last, last_head, bound, passing, deliver);
      return work + passing.delivered;
    }
    const StampTournament::Node end = StampTournament::End(bound);
    StampTournament::Node first = heads_.Start(end);
    while (passing.go_on && first.stamp < bound) {
      const StampTournament::Node second = heads_.RunnerUp(first, end);
      // Frames of this lane below it come before the second.
      const uint64_t below = second.stamp + static_cast<uint64_t>(first.where < second.where);
      Reader& lane = *lanes_[first.lane()];
      first.stamp = RunLane(lane, lane.Head(), below, passing, deliver);
      heads_.GoOn(first);
      first = second;
    }
    return work + passing.delivered;
  }

  // The same of the shard's own lane alone, whatever waits in others: all that happened before a
  // message of a shard to itself was delivered before it was sent. REQUIRES: there is one.
  template <typename Deliver, typename OnFault>
  size_t PassOwn(size_t limit, Deliver&& deliver, OnFault&& on_fault) {
    const uint64_t before = own_->tail();
    own_->Look(on_fault);
    const size_t work = own_->tail() - before;
    Frame* const head = own_->Head();
    own_->Release();
    if (head == nullptr || limit == 0) return work;
    Run passing{.limit = limit};
    RunLane(*own_, head, kNever, passing, deliver);
    return work + passing.delivered;
  }
  bool OwnHasFrames() const { return own_ != nullptr && own_->HasFrames(); }

  // Makes room in the lanes of other shards (and the own one) while this shard may not deliver.
  // Frames keep their places in the order. Returns how many frames moved.
  template <typename OnFault>
  size_t SpillAll(OnFault&& on_fault) {
    size_t moved = 0;
    for (const auto& lane : lanes_) {
      lane->Look(on_fault);
      moved += lane->Spill();
    }
    return moved;
  }

  bool HasFrames() const {
    for (const auto& lane : lanes_) {
      if (lane->HasFrames()) return true;
    }
    return false;
  }

 private:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // How far a pass has come.
  struct Run {
    size_t limit;
    size_t delivered = 0;
    bool go_on = true;
  };

  // Delivers frames of one lane: `head`, its first, and those behind it while their stamps are below
  // `below`. Returns the stamp of its next.
  template <typename Deliver>
  [[gnu::noinline]] static uint64_t RunLane(Reader& lane, Frame* head, uint64_t below, Run& passing,
                                            Deliver& deliver) {
    uint64_t stamp_ns = kNever;
    do {
      passing.go_on = deliver(*head);
      lane.Pop();
      passing.go_on = ++passing.delivered < passing.limit && passing.go_on;
      head = lane.Head();
      stamp_ns = head != nullptr ? head->header.stamp_ns : kNever;
    } while (stamp_ns < below && passing.go_on);
    lane.Release();
    return stamp_ns;
  }

  std::vector<std::unique_ptr<Reader>> lanes_;
  Reader* own_ = nullptr;
  StampTournament heads_;  // of the running pass: the lanes that have something below A
};

using CausalMerge = BasicCausalMerge<SpscLane<Frame>>;

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_CAUSAL_MERGE_H_
