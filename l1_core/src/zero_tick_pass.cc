#include "bitactor/l1_core/zero_tick_pass.h"

#include <algorithm>

#include "bitactor/l1_core/check.h"

namespace bitactor {
namespace {

// The bytes of a member of up to 8, the rest 0.
uint64_t MemberOf(const Signal& signal, const ZeroTickFilter& filter) {
  uint64_t value = 0;
  std::memcpy(&value, signal.payload + filter.offset, filter.member_bytes);
  return value;
}

}  // namespace

namespace internal {

WatchedWords::WatchedWords(const std::array<std::byte, kMaxSignalBytes>& watched) {
  for (size_t offset = 0; offset < kMaxSignalBytes; offset += sizeof(uint64_t)) {
    uint64_t mask;
    std::memcpy(&mask, watched.data() + offset, sizeof(mask));
    if (mask != 0) words_[size_++] = {.mask = mask, .last = 0, .offset = offset};
  }
}

}  // namespace internal

bool ZeroTickPass::Ring::Contains(uint64_t value) const {
  // All of them, without an exit: the compiler compares several at once.
  const uint64_t* const values = values_.data();
  uint64_t found = 0;
  for (size_t i = 0; i < size_; ++i) found |= values[i] == value ? 1 : 0;
  return found != 0;
}

void ZeroTickPass::Ring::Push(uint64_t value) {
  values_[next_] = value;
  next_ = next_ + 1 == values_.size() ? 0 : next_ + 1;
  size_ = std::min(size_ + 1, values_.size());
}

void ZeroTickPass::Ring::PopNewest() {
  const size_t newest = (next_ == 0 ? values_.size() : next_) - 1;
  if (size_ == values_.size() && size_ > 1) {
    // Its place goes to a second copy of the oldest, and is the next to be overwritten.
    values_[newest] = values_[next_];
  } else {
    --size_;
  }
  next_ = newest;
}

void ZeroTickPass::Add(const ZeroTickFilter& filter) {
  if (filter.value_bytes != 0) {
    if (value_bytes_ != 0) BITACTOR_CHECK_EQ(size_t{value_bytes_}, size_t{filter.value_bytes});
    value_bytes_ = filter.value_bytes;
  }
  causes_ |= static_cast<uint16_t>(1u << static_cast<unsigned>(filter.cause));
  switch (filter.cause) {
    case Bypass::kExpired:
      expired_ = filter;
      break;
    case Bypass::kMasked:
      mask_ = filter;
      break;
    case Bypass::kDuplicate:
      duplicate_ = filter;
      recent_ = Ring(filter.count);
      break;
    case Bypass::kUnchanged:
      unchanged_ = internal::WatchedWords(filter.watched);
      break;
    case Bypass::kDeadBand:
      dead_band_ = filter;
      band_unchanged_ = internal::WatchedWords(filter.watched);
      break;
    case Bypass::kSampled:
      sample_every_ = filter.count;
      break;
    case Bypass::kRateLimited:
      rate_limit_ = filter;
      handled_ns_ = Ring(filter.count);
      break;
    default:
      BITACTOR_CHECK(false);  // no filter has another cause
  }
  const bool unchanged_alone = causes_ == 1u << static_cast<unsigned>(Bypass::kUnchanged);
  check_ = unchanged_alone ? UnchangedFunction(unchanged_.size()) : &CheckAll;
}

void ZeroTickPass::Forget() {
  if (last_size_bytes_ != kNothing && Has(Bypass::kDuplicate)) recent_.PopNewest();
  last_size_bytes_ = kNothing;
}

template <size_t kWords>
Bypass ZeroTickPass::CheckUnchanged(ZeroTickPass& pass, const Signal& signal, RoundTime&) {
  const bool differ = pass.unchanged_.Differ<kWords>(signal);
  if (!differ && signal.size_bytes == pass.last_size_bytes_) return Bypass::kUnchanged;
  pass.unchanged_.Remember(signal);
  pass.last_size_bytes_ = signal.size_bytes == pass.value_bytes_ ? signal.size_bytes : kNothing;
  return Bypass::kNone;
}

ZeroTickPass::CheckFunction ZeroTickPass::UnchangedFunction(size_t words) {
  constexpr CheckFunction kFunctions[] = {
      &CheckUnchanged<1>, &CheckUnchanged<2>, &CheckUnchanged<3>, &CheckUnchanged<4>,
      &CheckUnchanged<5>, &CheckUnchanged<6>, &CheckUnchanged<7>};
  return kFunctions[words - 1];
}

Bypass ZeroTickPass::CheckAll(ZeroTickPass& pass, const Signal& signal, RoundTime& time) {
  if (pass.value_bytes_ != 0 && signal.size_bytes != pass.value_bytes_) [[unlikely]] {
    pass.last_size_bytes_ = kNothing;
    return Bypass::kNone;
  }
  const Bypass cause = pass.FirstCause(signal, time);
  if (cause == Bypass::kNone) pass.Remember(signal, time);
  return cause;
}

Bypass ZeroTickPass::FirstCause(const Signal& signal, RoundTime& time) {
  if (Has(Bypass::kExpired)) {
    const uint64_t stamp_ns = MemberOf(signal, expired_);
    const uint64_t now_ns = time.NowNs();
    if (stamp_ns < now_ns && now_ns - stamp_ns > expired_.span_ns) return Bypass::kExpired;
  }
  if (Has(Bypass::kMasked) && (MemberOf(signal, mask_) & mask_.count) == 0) return Bypass::kMasked;
  if (Has(Bypass::kDuplicate) && recent_.Contains(MemberOf(signal, duplicate_))) {
    return Bypass::kDuplicate;
  }
  const bool has_last = last_size_bytes_ != kNothing;
  if (Has(Bypass::kUnchanged) && has_last && !unchanged_.Differ(signal)) return Bypass::kUnchanged;
  if (Has(Bypass::kDeadBand) && has_last && !band_unchanged_.Differ(signal) &&
      dead_band_.within(signal.payload + dead_band_.offset,
                        reinterpret_cast<const std::byte*>(&band_last_), dead_band_.band.data())) {
    return Bypass::kDeadBand;
  }
  if (Has(Bypass::kSampled)) {
    const bool taken = sample_at_ == 0;
    sample_at_ = sample_at_ + 1 == sample_every_ ? 0 : sample_at_ + 1;
    if (!taken) return Bypass::kSampled;
  }
  if (Has(Bypass::kRateLimited) && handled_ns_.full()) {
    // A clock that stepped back stands still.
    const uint64_t oldest_ns = handled_ns_.oldest();
    const uint64_t now_ns = std::max(time.NowNs(), oldest_ns);
    if (now_ns - oldest_ns < rate_limit_.span_ns) return Bypass::kRateLimited;
  }
  return Bypass::kNone;
}

void ZeroTickPass::Remember(const Signal& signal, RoundTime& time) {
  last_size_bytes_ = signal.size_bytes;
  unchanged_.Remember(signal);
  if (Has(Bypass::kDuplicate)) recent_.Push(MemberOf(signal, duplicate_));
  if (Has(Bypass::kDeadBand)) {
    band_unchanged_.Remember(signal);
    band_last_ = MemberOf(signal, dead_band_);
  }
  if (Has(Bypass::kRateLimited)) handled_ns_.Push(time.NowNs());
}

}  // namespace bitactor
