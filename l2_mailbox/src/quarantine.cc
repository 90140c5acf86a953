#include "bitactor/l2_mailbox/quarantine.h"

#include <algorithm>
#include <cstring>

#include "bitactor/l1_core/check.h"

namespace bitactor {

const char* LaneFaultName(LaneFault fault) {
  switch (fault) {
    case LaneFault::kSound:
      return "sound";
    case LaneFault::kSize:
      return "size";
    case LaneFault::kKind:
      return "kind";
    case LaneFault::kChecksum:
      return "checksum";
    case LaneFault::kSource:
      return "source";
    case LaneFault::kOrder:
      return "order";
    case LaneFault::kBlock:
      return "block";
  }
  return "unknown";
}

namespace internal {
namespace {

uint32_t BelievedSource(const LaneOrigin& origin, const FrameHeader& header) {
  const bool as_sealed =
      header.size_bytes <= kMaxPayloadBytes && FrameChecksum(header) == header.crc32c;
  return as_sealed ? header.source : origin.source;
}

void AddSource(std::vector<CorruptionReport::OfSource>& sources, uint32_t source, uint64_t frames) {
  if (frames == 0) return;
  const auto place =
      std::lower_bound(sources.begin(), sources.end(), source,
                       [](const auto& entry, uint32_t value) { return entry.source < value; });
  if (place != sources.end() && place->source == source) {
    place->frames += frames;
  } else {
    sources.insert(place, {source, frames});
  }
}

}  // namespace

QuarantineStore::QuarantineStore(uint32_t shard, size_t capacity_frames)
    : shard_(shard),
      capacity_frames_(capacity_frames),
      frames_(std::make_unique_for_overwrite<QuarantinedFrame[]>(capacity_frames)) {
  BITACTOR_CHECK(capacity_frames >= 1);
}

void QuarantineStore::Add(LaneFault fault, const LaneOrigin& origin, uint32_t to_port,
                          const Frame& frame, uint64_t now_ns) {
  const uint32_t source = BelievedSource(origin, frame.header);
  MutexLock lock(&mutex_);
  QuarantinedFrame& kept = frames_[quarantined_ % capacity_frames_];
  std::memcpy(static_cast<void*>(&kept.frame), &frame, sizeof(frame));
  kept.number = quarantined_++;
  kept.found_ns = now_ns;
  kept.shard = shard_;
  kept.from_port = origin.port;
  kept.to_port = to_port;
  kept.fault = fault;
  for (size_t i = 0; i < sources_used_; ++i) {
    if (sources_[i].source != source) continue;
    ++sources_[i].frames;
    return;
  }
  if (sources_used_ < kMaxSources) {
    sources_[sources_used_++] = {source, 1};
  } else {
    ++of_other_sources_;
  }
}

uint64_t QuarantineStore::quarantined() const {
  MutexLock lock(&mutex_);
  return quarantined_;
}

std::vector<QuarantinedFrame> QuarantineStore::Frames() const {
  MutexLock lock(&mutex_);
  const uint64_t count = std::min<uint64_t>(quarantined_, capacity_frames_);
  std::vector<QuarantinedFrame> frames;
  frames.reserve(count);
  for (uint64_t i = quarantined_ - count; i < quarantined_; ++i) {
    frames.push_back(frames_[i % capacity_frames_]);
  }
  return frames;
}

void QuarantineStore::AddTo(CorruptionReport& report) const {
  MutexLock lock(&mutex_);
  report.quarantined += quarantined_;
  report.overwritten += quarantined_ - std::min<uint64_t>(quarantined_, capacity_frames_);
  for (size_t i = 0; i < sources_used_; ++i) {
    AddSource(report.sources, sources_[i].source, sources_[i].frames);
  }
  AddSource(report.sources, 0, of_other_sources_);
}

}  // namespace internal
}  // namespace bitactor
