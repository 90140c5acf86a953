// l2/merge/*: what the merge of a shard's lanes costs a message, by the number of lanes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l2_mailbox/causal_merge.h"

namespace bitactor::bench {
namespace {

using internal::CausalMerge;

constexpr size_t kSlots = 2048;  // of all lanes together, so that every row works in the same cache
constexpr uint64_t kBatch = 256;  // what a shard delivers in one Poll() at most
constexpr uint8_t kPayloadBytes = 64;

// Lanes that share a stream of rising stamps at random, and their reader.
class MergeLoop {
 public:
  explicit MergeLoop(size_t lanes) {
    for (size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(std::make_unique<SpscLane<Frame>>(kSlots / lanes));
      merge_.AddLane(lanes_.back().get(), /*own=*/false, /*spillable=*/true);
    }
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.size_bytes = kPayloadBytes;
    Fill(frame);  // seen and not delivered by the first pass
    Deliver();
  }

  // `frames` is a multiple of kBatch. Each pass checks a batch and delivers the one before it.
  Sample Run(const TickClock& clock, uint64_t frames) {
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.size_bytes = kPayloadBytes;
    uint64_t cycles = 0;
    delivered_ = 0;
    for (uint64_t i = 0; i < frames; i += kBatch) {
      Fill(frame);
      const uint64_t start = clock.Now();
      Deliver();
      cycles += clock.Now() - start;
    }
    return NsPerOperation(clock.NanosIn(cycles), frames);
  }
  uint64_t delivered() const { return delivered_; }
  uint64_t faults() const { return faults_; }

 private:
  void Fill(Frame& frame) {
    for (uint64_t i = 0; i < kBatch; ++i) {
      size_t lane = random_() % lanes_.size();
      while (lanes_[lane]->Claim() == nullptr) lane = (lane + 1) % lanes_.size();
      frame.header.stamp_ns = ++stamp_;
      Seal(frame);
      *lanes_[lane]->Claim() = frame;
      lanes_[lane]->Advance();
      lanes_[lane]->Publish();
    }
  }
  void Deliver() {
    merge_.Pass(
        kBatch,
        [this](Frame& frame) {
          faults_ += frame.header.stamp_ns <= last_;
          last_ = frame.header.stamp_ns;
          ++delivered_;
          return true;
        },
        [this](const Frame&, LaneFault, const LaneOrigin&) { ++faults_; });
  }

  std::mt19937_64 random_{1};
  std::vector<std::unique_ptr<SpscLane<Frame>>> lanes_;
  CausalMerge merge_;
  uint64_t stamp_ = 0;
  uint64_t last_ = 0;
  uint64_t delivered_ = 0;
  uint64_t faults_ = 0;
};

void AddMerge(Registry& registry, size_t lanes, std::vector<std::string> bases) {
  registry.Add(
      {.name = absl::StrCat("l2/merge/", lanes),
       .bases = std::move(bases),
       .operations_min = kBatch,
       .note = "lanes looked at, checked and merged, 64-byte payloads at random, 256 a pass"},
      [lanes](const Context& context) -> absl::StatusOr<Body> {
        return [&clock = context.clock, loop = std::make_shared<MergeLoop>(lanes)](
                   uint64_t operations) -> absl::StatusOr<Sample> {
          operations = (operations + kBatch - 1) / kBatch * kBatch;
          const Sample sample = loop->Run(clock, operations);
          if (loop->faults() != 0 || loop->delivered() != operations) {
            return absl::InternalError(absl::StrCat(loop->delivered(), " of ", operations,
                                                    " messages were delivered, ", loop->faults(),
                                                    " damaged or out of order"));
          }
          return sample;
        };
      });
}

}  // namespace

void RegisterMergeRows(Registry& registry) {
  AddMerge(registry, 2, {});
  AddMerge(registry, 64, {"l2/merge/2"});
}

}  // namespace bitactor::bench
