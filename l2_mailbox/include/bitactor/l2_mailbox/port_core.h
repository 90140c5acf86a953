// The producer's half of every hop: stamps, fills, seals and publishes frames.
#ifndef BITACTOR_L2_MAILBOX_PORT_CORE_H_
#define BITACTOR_L2_MAILBOX_PORT_CORE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/block.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/frame_queue.h"
#include "bitactor/l2_mailbox/held_answers.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/priority.h"
#include "bitactor/l2_mailbox/send_result.h"

namespace bitactor::internal {

// What a sender says of a message beside its payload.
struct Envelope {
  FrameKind kind = FrameKind::kCast;
  uint8_t flags = 0;
  Priority priority = kDefaultPriority;
  uint32_t source = 0;
  Address target;
  uint64_t message_id = 0;
  uint64_t correlation_id = 0;
  uint64_t trace = 0;
  uint64_t parent_span = 0;
  uint32_t type = 0;
  uint32_t deadline_us = 0;
};

// A timeout as a frame's deadline: at least 1 us; 0, none, for no timeout and for more than a frame
// can say (71 minutes).
constexpr uint32_t DeadlineMicros(uint64_t timeout_ns) {
  if (timeout_ns == 0 || timeout_ns / 1000 > ~uint32_t{0}) return 0;
  return static_cast<uint32_t>(std::max<uint64_t>(timeout_ns / 1000, 1));
}

// Order: what one port sends to one target arrives in order; across targets and ports, causally
//   (CausalMerge, M1 and M2).
// Threads: its owner's thread alone.
// Bounds: an outside port refuses when a lane is full. A shard's port holds frames back instead
//   (kept in order, at most overflow_limit_frames), and answers when there is no room in HeldAnswers;
//   its shard dispatches nothing until they are gone. Where routes change, an outside port holds back what it had not published yet.
// Cost: no allocation, no lock, no clock reading.
//
//   P1  clock_ns_ rises with every send and is at least every stamp observed (M1 of CausalMerge).
//   P2  At most one lane has unpublished frames; it is published before another is filled (M2).
//   P3  Frames [published, claimed) of the dirty lane are not sealed yet; Publish() seals them.
//   P4  While frames are held back every send and answer of this port goes behind them, so nothing
//       later is visible before something earlier.
//   P5  Frames of the dirty lane were routed in dirty_epoch_ or later, and are published only while
//       that is still the epoch (Routes, R1 and R2). Otherwise they are taken back, routed anew and
//       held back until there is room.
class PortCore {
 public:
  // `source`: the only id that an outside port sends as, its own or that of its name; 0: any, as a
  // shard does.
  PortCore(FabricState* state, uint32_t index, bool is_shard, uint32_t source = 0)
      : state_(state), index_(index), is_shard_(is_shard), source_(source), lanes_(state->shards) {}

  FabricState& state() const { return *state_; }
  uint32_t index() const { return index_; }
  uint32_t source() const { return source_; }
  uint32_t id() const { return kPortIdBit | index_; }
  // An id for a message that this port sends in its own name. Unique for good: the incarnation is
  // journalled.
  uint64_t NextMessageId() { return MakeMessageId(state_->incarnation, ++sequence_); }

  void SetLane(uint32_t shard, SpscLane<Frame>* lane) { lanes_[shard] = lane; }
  // Answers of this shard wait there until they are durable. Before the first send.
  void SetHeldAnswers(HeldAnswers* held) { held_answers_ = held; }

  // The wall time used for stamps until the next call: read once per dispatch boundary or
  // publication.
  void SetNow(uint64_t now_ns) { now_ns_ = now_ns; }
  uint64_t now_ns() const { return now_ns_; }
  // A message with this stamp is about to be handled, or its content to be used for a send.
  void Observe(uint64_t stamp_ns) { clock_ns_ = std::max(clock_ns_, stamp_ns); }
  uint64_t clock_ns() const { return clock_ns_; }

  uint32_t ShardOf(ActorId id) const { return state_->routes.ShardOf(id); }

  // Sends; visible after Publish() at the latest. kOk, kFull (outside ports), kMailboxFull,
  // kJournalFull or kClosed.
  template <typename M>
  SendResult Send(const Envelope& envelope, const M& payload) {
    CheckPayloadType<M>();
    return SendWith<sizeof(M)>(envelope, [&payload](std::byte* to) {
      std::memcpy(to, &payload, sizeof(M));
#if __has_builtin(__builtin_clear_padding)
      // Digests and checksums are over bytes, so padding must not carry whatever the stack held.
      if constexpr (!std::has_unique_object_representations_v<M>) {
        __builtin_clear_padding(reinterpret_cast<M*>(to));
      }
#endif
    });
  }
  // The payload as bytes. REQUIRES: size_bytes <= 128.
  SendResult SendBytes(const Envelope& envelope, const void* payload, size_t size_bytes);
  // The payload is the block. REQUIRES: block.ok(), a block of this fabric.
  SendResult SendBlock(Envelope envelope, SharedBlock block);
  // As SendBytes, of any length: what is longer is copied into a block, or refused with kNoBlock or
  // kTooLong.
  SendResult SendAnyBytes(const Envelope& envelope, std::span<const std::byte> bytes);
  // The same of a value that `write` puts into as many bytes as it is told, in the block itself.
  using Writer = void (*)(const void* value, std::span<std::byte> to);
  SendResult SendWritten(const Envelope& envelope, size_t size_bytes, Writer write,
                         const void* value);

  // What would keep a cast to `target` from being accepted now; nothing is sent or counted.
  SendResult Room(ActorId target);

  // Fault injection, for demonstrations and tests: sends an empty message with one bit of its
  // header wrong.
  SendResult SendDamaged(const Envelope& envelope);
  // The same: puts these 192 bytes into the lane to a shard as they are.
  SendResult SendRaw(uint32_t shard, const Frame& frame);

  void Publish() {
    if (dirty_ == nullptr) return;
    SealUnpublished(*dirty_);
    BeginPublication();
    const bool routes_hold = state_->routes.epoch() == dirty_epoch_;
    if (routes_hold) [[likely]]
      dirty_->Publish();
    EndPublication();
    if (!routes_hold) [[unlikely]]
      return RouteAnew();
    dirty_ = nullptr;
    WakeReader();
  }
  // Whether the port is between its last look at the routes and a publication. Any thread.
  bool publishing() const {
    // SYNC(port-publishing): pairs with EndPublication(); what was published is visible.
    // Sequentially consistent: see BeginPublication().
    return publishing_.load(std::memory_order_seq_cst);
  }

  bool HasUnpublished() const { return dirty_ != nullptr; }
  // Whether the shards have taken all that was published. Any thread.
  bool LanesEmpty() const {
    return std::all_of(lanes_.begin(), lanes_.end(),
                       [](const auto* lane) { return lane->SizeApproximate() == 0; });
  }

  // Moves held-back frames into their lanes, in order, until one has no room. True when none is
  // left.
  bool FlushOverflow();
  bool congested() const { return !overflow_.empty(); }
  size_t overflow_frames() const { return overflow_.size(); }
  // A place in the row of what was ever held back, and whether all before it is published.
  uint64_t OverflowEnd() const { return overflow_gone_ + overflow_.size(); }
  bool HasFlushed(uint64_t overflow_end) const {
    return static_cast<int64_t>(overflow_gone_ - overflow_end) >= 0;
  }

  // Shows the frames that are held back, in order.
  template <typename Visit>
  void VisitHeldBack(Visit&& visit) {
    for (size_t i = 0; i < overflow_.size(); ++i) visit(overflow_.At(i));
  }

  // Gives away what is held and durable now; returns how many. REQUIRES: SetHeldAnswers().
  size_t GiveDurableAnswers();
  // Dead-letters what is held, for it will never be durable, and tells those who wait; returns how
  // many. REQUIRES: SetHeldAnswers().
  size_t RefuseHeldAnswers();

  // Accepted for shards, accepted for outside ports, refused by value.
  const OwnedCounter& sent() const { return sent_; }
  const OwnedCounter& replied() const { return replied_; }
  // Answers that its owner took out of its reply lanes.
  const OwnedCounter& read() const { return read_; }
  void CountRead() { read_.Add(1); }
  uint64_t refused(SendResult result) const { return refused_[static_cast<size_t>(result)].Read(); }
  uint64_t refused() const {
    uint64_t sum = 0;
    for (const OwnedCounter& count : refused_) sum += count.Read();
    return sum;
  }
  void CountRefusal(SendResult result) { refused_[static_cast<size_t>(result)].Add(1); }
  // The highest sequence that a named port sent in this run, whoever had it open.
  uint64_t named_sequence() const { return named_sequence_; }
  void NoteNamedSequence(uint64_t sequence) { named_sequence_ = sequence; }

 private:
  template <size_t kSize, typename Fill>
  SendResult SendWith(const Envelope& envelope, Fill&& fill) {
    if (IsPort(envelope.target.id)) [[unlikely]]
      return SendToPort<kSize>(envelope, fill);
    uint32_t shard = Route(envelope.target.id);
    if (state_->journal_full[shard].load(std::memory_order_relaxed)) [[unlikely]] {
      const SendResult result = AskForCredit(shard, envelope);
      if (result != SendResult::kOk) return result;
      shard &= Routes::kShardMask;
    }
    SpscLane<Frame>* lane = lanes_[shard];
    if (dirty_ != lane && dirty_ != nullptr) Publish();  // P2
    Frame* slot = overflow_.empty() ? lane->Claim() : nullptr;
    if (slot == nullptr) [[unlikely]]
      return SendWithoutRoom<kSize>(envelope, fill);
    FillFrame<kSize>(*slot, envelope, fill);
    lane->Advance();
    dirty_ = lane;
    dirty_shard_ = shard;
    sent_.Add(1);
    return SendResult::kOk;
  }

  // Off the common way, see Refuse().
  template <size_t kSize, typename Fill>
  [[gnu::noinline]] SendResult SendToPort(Envelope envelope, Fill fill) {
    std::byte bytes[kSize == 0 ? 1 : kSize];
    fill(bytes);
    return Reply(envelope, bytes, kSize);
  }
  template <size_t kSize, typename Fill>
  [[gnu::noinline]] SendResult SendWithoutRoom(Envelope envelope, Fill fill) {
    if (!is_shard_) {
      if (congested() && FlushOverflow()) return SendWith<kSize>(envelope, fill);
      return Refuse(SendResult::kFull, envelope);
    }
    Frame held;
    FillFrame<kSize>(held, envelope, fill);
    return HoldBack(held);
  }

  // The route to send by; with no lane dirty, this is where the epoch begins that counts (P5).
  uint32_t Route(ActorId id) {
    if (dirty_ == nullptr) dirty_epoch_ = state_->routes.epoch();
    return state_->routes.RouteOf(id);
  }
  // A shard changes nothing of its routes while its port publishes: its thread takes part in each
  // change (Fabric::ChangeRoutes).
  void BeginPublication() {
    if (is_shard_) return;
    if (state_->has_process_barrier) [[likely]] {
      // SYNC(port-publishing): pairs with publishing(). Relaxed: the barrier of who changes routes
      // orders it before the look at the epoch; the compiler is held by the fence.
      publishing_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      // SYNC(port-publishing): in one order with the change of routes, for want of that barrier.
      publishing_.exchange(true, std::memory_order_seq_cst);
    }
  }
  void EndPublication() {
    // SYNC(port-publishing): pairs with publishing().
    if (!is_shard_) publishing_.store(false, std::memory_order_release);
  }
  // The frames of the dirty lane are held back, before all that is, until FlushOverflow() sends them
  // to where the routes lead then.
  void RouteAnew();
  // As FlushOverflow(); the last lane stays dirty.
  bool MoveOverflow();

  template <size_t kSize, typename Fill>
  void FillFrame(Frame& frame, const Envelope& envelope, Fill&& fill) {
    FillHeader(frame.header, envelope, kSize);
    fill(frame.payload);
    constexpr size_t kStored = StoredBytes(kSize) - kFrameUnitBytes;
    if constexpr (kStored > kSize) std::memset(frame.payload + kSize, 0, kStored - kSize);
  }
  void FillHeader(FrameHeader& header, const Envelope& envelope, size_t size_bytes) {
    const uint64_t stamp_ns = std::max(clock_ns_ + 1, now_ns_);  // P1
    clock_ns_ = stamp_ns;
    // One store for the first eight bytes: the checksum reads them back at once.
    const uint64_t first_word = static_cast<uint64_t>(size_bytes) << 32 |
                                static_cast<uint64_t>(envelope.kind) << 40 |
                                static_cast<uint64_t>(envelope.priority) << 48 |
                                static_cast<uint64_t>(envelope.flags & 0x3F) << 50 |
                                static_cast<uint64_t>(envelope.target.generation) << 56;
    std::memcpy(static_cast<void*>(&header), &first_word, sizeof(first_word));
    header.message_id = envelope.message_id;
    header.correlation_id = envelope.correlation_id;
    header.stamp_ns = stamp_ns;
    header.trace = envelope.trace;
    header.parent_span = envelope.parent_span;
    const uint64_t type_word = envelope.type | static_cast<uint64_t>(envelope.deadline_us) << 32;
    std::memcpy(&header.type, &type_word, sizeof(type_word));
    const uint64_t ends_word =
        envelope.source | static_cast<uint64_t>(static_cast<uint32_t>(envelope.target.id)) << 32;
    std::memcpy(&header.source, &ends_word, sizeof(ends_word));
  }

  // Frames are sealed when they are published: then they lie in the cache, and several are sealed
  // at once.
  static void SealUnpublished(SpscLane<Frame>& lane) {
    uint64_t index = lane.published();
    const uint64_t end = lane.claimed();
    if (index + 4 <= end) index = SealFours(lane, index, end);
    for (; index < end; ++index) Seal(lane.Filled(index));
  }
  // Seals as many as make fours, returns where it ended. Off the way of single frames, which need
  // fewer registers.
  [[gnu::noinline]] static uint64_t SealFours(SpscLane<Frame>& lane, uint64_t index, uint64_t end) {
    for (; index + 4 <= end; index += 4) {
      const FrameHeader* headers[4];
      uint32_t checksums[4];
      for (uint64_t i = 0; i < 4; ++i) headers[i] = &lane.Filled(index + i).header;
      FrameChecksums4(headers, checksums);
      for (uint64_t i = 0; i < 4; ++i) lane.Filled(index + i).header.crc32c = checksums[i];
    }
    return index;
  }
  void WakeReader() {
    if (is_shard_ && dirty_shard_ == index_) return;  // itself, and awake
    Engine* reader = state_->engines[dirty_shard_];
    if (reader->parked()) [[unlikely]]
      reader->Wake();
  }
  // Off the common way. They take copies: an envelope whose address is known could not live in
  // registers on the common way either.
  SendResult Refuse(SendResult result, Envelope envelope);
  // Of a route for which FabricState::journal_full is set: kOk, or the refusal.
  SendResult AskForCredit(uint32_t route, Envelope envelope);
  // What that refusal would be.
  SendResult CreditOf(uint32_t route, const Envelope& envelope) const;
  SendResult HoldBack(Frame& frame);
  SendResult Reply(Envelope envelope, const void* payload, size_t size_bytes);
  // Whether there is room where answers wait.
  bool HasRoomForAnswer() const { return held_answers_ == nullptr || !held_answers_->full(); }
  // REQUIRES: HasRoomForAnswer().
  SendResult GiveAnswer(const Frame& answer);
  SendResult PutAnswer(const Frame& answer);

  // Immutable.
  FabricState* const state_;
  const uint32_t index_;
  const bool is_shard_;
  const uint32_t source_;
  HeldAnswers* held_answers_ = nullptr;  // null: answers go at once
  // The owner's.
  std::vector<SpscLane<Frame>*> lanes_;
  SpscLane<Frame>* dirty_ = nullptr;
  uint32_t dirty_shard_ = 0;
  uint64_t dirty_epoch_ = 0;
  std::atomic<bool> publishing_{false};  // SYNC(port-publishing)
  uint64_t clock_ns_ = 0;
  uint64_t now_ns_ = 0;
  uint64_t sequence_ = 0;
  uint64_t named_sequence_ = 0;
  FrameQueue overflow_;
  uint64_t overflow_gone_ = 0;  // frames that left overflow_, less those that came back
  OwnedCounter sent_;
  OwnedCounter replied_;
  OwnedCounter read_;
  std::array<OwnedCounter, kSendResults> refused_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_PORT_CORE_H_
