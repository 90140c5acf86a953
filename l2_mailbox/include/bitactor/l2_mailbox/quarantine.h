// Frames that cannot be trusted: kept as they were found, counted by port and by source.
#ifndef BITACTOR_L2_MAILBOX_QUARANTINE_H_
#define BITACTOR_L2_MAILBOX_QUARANTINE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/mutex.h"

namespace bitactor {

// Why a frame in a lane is not delivered. Values are stored in quarantine files: append only. Names
// are stable (LaneFaultName).
enum class LaneFault : uint8_t {
  kSound = 0,  // none
  kSize = 1,   // over 128 payload bytes
  kKind = 2,   // not a kind that travels: 0, or above kSystem
  kChecksum = 3,
  kSource = 4,  // an outside port's frame in the name of another
  kOrder = 5,   // an outside port's frame whose id or stamp is not above that of the one before:
                // a duplicate, or an old slot
  kBlock = 6,   // the frame is sound, but the bytes of its block are not those that were sent
};
inline constexpr size_t kLaneFaults = 7;

const char* LaneFaultName(LaneFault fault);

// Blocks, records and footers live in journals and pools, never in a lane.
inline constexpr FrameKind kLastLaneKind = FrameKind::kSystem;

// Who writes a lane.
struct LaneOrigin {
  uint32_t port = 0;    // its number; a shard's port has the shard's
  uint32_t source = 0;  // the one id that it sends as; 0: many, as a shard does for its actors
};

struct QuarantinedFrame {
  Frame frame;         // all 192 bytes of the slot as they were found: nothing but them is certain
  uint64_t number;     // among those that this shard quarantined in this run, from 0 on
  uint64_t found_ns;   // hybrid clock
  uint32_t shard;      // whose store it is
  uint32_t from_port;  // who wrote the lane: known for certain
  uint32_t to_port;    // who read it: the shard, or an outside port that read an answer
  LaneFault fault;
};
static_assert(sizeof(QuarantinedFrame) == 256);

// Counts of what was quarantined.
struct CorruptionReport {
  struct OfPort {
    uint32_t port;
    uint64_t frames;
    bool cut_off;  // it was over FabricOptions::corruption_limit
  };
  struct OfSource {
    // What the frame says where its checksum holds; else the only id that its port sends as; 0
    // where neither is known.
    uint32_t source;
    uint64_t frames;
  };

  uint64_t quarantined = 0;
  uint64_t overwritten = 0;       // of these, no longer kept
  std::vector<OfPort> ports;      // those with any, ascending
  std::vector<OfSource> sources;  // the same
};

namespace internal {

constexpr LaneFault LaneFaultOf(FrameFault fault) {
  switch (fault) {
    case FrameFault::kOk:
      return LaneFault::kSound;
    case FrameFault::kSize:
      return LaneFault::kSize;
    case FrameFault::kKind:
      return LaneFault::kKind;
    case FrameFault::kCrc:
      return LaneFault::kChecksum;
  }
  return LaneFault::kChecksum;
}

// What one shard quarantined, and the answers that it gave and a port could not trust.
//
// Threads: all methods, any thread.
// Bounds: the last `capacity_frames` are kept, 256 bytes each; sources beyond the first 64 are
//   counted as 0.
// Cost: nothing is allocated after construction, and its pages are not touched before they are
//   needed. A lock for each faulty frame, nothing for a sound one.
class QuarantineStore {
 public:
  static constexpr size_t kMaxSources = 64;

  // REQUIRES: capacity_frames >= 1.
  QuarantineStore(uint32_t shard, size_t capacity_frames);

  void Add(LaneFault fault, const LaneOrigin& origin, uint32_t to_port, const Frame& frame,
           uint64_t now_ns);

  uint64_t quarantined() const;
  // The kept ones, oldest first.
  std::vector<QuarantinedFrame> Frames() const;
  // Adds this store's numbers to `report`.
  void AddTo(CorruptionReport& report) const;

 private:
  const uint32_t shard_;
  const size_t capacity_frames_;
  mutable Mutex mutex_;
  const std::unique_ptr<QuarantinedFrame[]> frames_ ABSL_GUARDED_BY(mutex_);
  uint64_t quarantined_ ABSL_GUARDED_BY(mutex_) = 0;
  std::array<CorruptionReport::OfSource, kMaxSources> sources_ ABSL_GUARDED_BY(mutex_);
  size_t sources_used_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t of_other_sources_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_QUARANTINE_H_
