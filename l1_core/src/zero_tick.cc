#include "bitactor/l1_core/zero_tick.h"

namespace bitactor {
namespace {

// REQUIRES: 0 <= duration. An infinite one is longer than any clock runs.
uint64_t Nanoseconds(absl::Duration duration) {
  BITACTOR_CHECK(duration >= absl::ZeroDuration());
  return static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
}

}  // namespace

const char* BypassName(Bypass cause) {
  switch (cause) {
    case Bypass::kUnhandled:
      return "unhandled";
    case Bypass::kIgnored:
      return "ignored";
    case Bypass::kEffectFree:
      return "effect-free";
    case Bypass::kExpired:
      return "expired";
    case Bypass::kMasked:
      return "masked";
    case Bypass::kDuplicate:
      return "duplicate";
    case Bypass::kUnchanged:
      return "unchanged";
    case Bypass::kDeadBand:
      return "dead band";
    case Bypass::kSampled:
      return "sampled";
    case Bypass::kRateLimited:
      return "rate limited";
    case Bypass::kNone:
      return "none";
  }
  return "unknown";
}

ZeroTickFilter SampleEvery(uint64_t every) {
  BITACTOR_CHECK_LE(uint64_t{1}, every);
  ZeroTickFilter filter{.cause = Bypass::kSampled};
  filter.count = every;
  return filter;
}

ZeroTickFilter RateLimit(uint64_t count, absl::Duration per) {
  BITACTOR_CHECK_LE(uint64_t{1}, count);
  BITACTOR_CHECK_LE(count, kMaxFilterMemory);
  ZeroTickFilter filter{.cause = Bypass::kRateLimited};
  filter.count = count;
  filter.span_ns = Nanoseconds(per);
  BITACTOR_CHECK_LE(uint64_t{1}, filter.span_ns);
  return filter;
}

ZeroTickFilter DuplicateWithin(size_t offset, size_t member_bytes, size_t value_bytes,
                               uint64_t signals) {
  BITACTOR_CHECK_LE(uint64_t{1}, signals);
  BITACTOR_CHECK_LE(signals, kMaxFilterMemory);
  ZeroTickFilter filter{.cause = Bypass::kDuplicate};
  filter.value_bytes = static_cast<uint8_t>(value_bytes);
  filter.offset = static_cast<uint8_t>(offset);
  filter.member_bytes = static_cast<uint8_t>(member_bytes);
  filter.count = signals;
  return filter;
}

ZeroTickFilter ExpiredAfter(size_t offset, size_t value_bytes, absl::Duration age) {
  ZeroTickFilter filter{.cause = Bypass::kExpired};
  filter.value_bytes = static_cast<uint8_t>(value_bytes);
  filter.offset = static_cast<uint8_t>(offset);
  filter.member_bytes = sizeof(uint64_t);
  filter.span_ns = Nanoseconds(age);
  return filter;
}

}  // namespace bitactor
