// The ports of a fabric: opened, closed, and used again.
#include <memory>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/stats_file.h"

namespace bitactor {
namespace {

using internal::kReplySlots;

}  // namespace

internal::PortCore* Fabric::TakePortCore(uint32_t source, bool& is_new) {
  // A lane's frames are checked against the one id that its port sends as, so a name keeps its port
  // for this run, and a port without a name is taken for another.
  is_new = false;
  for (auto place = free_ports_.begin(); place != free_ports_.end(); ++place) {
    internal::PortCore* const core = *place;
    if (core->source() != (source != 0 ? source : core->id())) continue;
    // Relaxed: a port that is just being cut off refuses by itself.
    if (source == 0 && state_.cut_off[core->index()].load(std::memory_order_relaxed)) continue;
    // Nor for the faults of who had it before.
    if (source == 0 && state_.corruption_limit != 0 && !core->LanesEmpty()) continue;
    free_ports_.erase(place);
    return core;
  }
  const size_t index = state_.shards + port_cores_.size();
  if (index >= internal::kMaxPorts) return nullptr;
  for (const auto& core : port_cores_) {
    if (core->source() == source) return nullptr;  // this name is open
  }
  const auto number = static_cast<uint32_t>(index);
  port_cores_.push_back(std::make_unique<internal::PortCore>(
      &state_, number, /*is_shard=*/false, source != 0 ? source : kPortIdBit | number));
  is_new = true;
  return port_cores_.back().get();
}

Port Fabric::OpenPort(const PortOptions& options) {
  using internal::PortCore;
  using internal::ReplyLanes;
  uint32_t source = 0;
  if (!options.name.empty()) {
    const absl::StatusOr<Address> address = TryIntern(options.name);
    if (!address.ok()) return Port();
    source = static_cast<uint32_t>(address->id);
  }
  PortCore* core = nullptr;
  ReplyLanes* replies = nullptr;
  std::vector<SpscLane<Frame>*> lanes;
  {
    MutexLock lock(&mutex_);
    bool is_new = false;
    core = TakePortCore(source, is_new);
    if (core == nullptr) return Port();
    if (!is_new) {
      replies = reply_lanes_[core->index() - state_.shards].get();
    } else {
      reply_lanes_.push_back(std::make_unique<ReplyLanes>());
      replies = reply_lanes_.back().get();
      for (uint32_t i = 0; i < state_.shards; ++i) {
        replies->from_shard.push_back(std::make_unique<SpscLane<Frame>>(kReplySlots));
        lanes_.push_back(std::make_unique<SpscLane<Frame>>(options_.lane_slots));
        lanes.push_back(lanes_.back().get());
        core->SetLane(i, lanes.back());
      }
    }
  }
  for (uint32_t i = 0; i < lanes.size(); ++i) {
    RunOnShard(i, [&] {
      shards_[i]->merge().AddLane(lanes[i], /*own=*/false, /*spillable=*/false,
                                  {.port = core->index(), .source = core->source()});
    });
  }
  // Relaxed: see ReplyLanes::open.
  replies->open.store(true, std::memory_order_relaxed);
  // SYNC(reply-lanes): pairs with PortCore::Reply(); the lanes are built before they are seen.
  state_.reply_lanes[core->index()].store(replies, std::memory_order_release);
  if (stats_file_ != nullptr) stats_file_->AddPort(core);
  return Port(this, core, replies, source != 0 ? source : core->id(), source != 0);
}

void Fabric::ClosePort(internal::PortCore* core, internal::ReplyLanes* replies) {
  // Relaxed: see ReplyLanes::open.
  replies->open.store(false, std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  free_ports_.push_back(core);
}

}  // namespace bitactor
