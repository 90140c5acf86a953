// Zero-tick filters: what resolves a signal without running its handler.
#ifndef BITACTOR_L1_CORE_ZERO_TICK_H_
#define BITACTOR_L1_CORE_ZERO_TICK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

#include "absl/time/time.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/signal.h"

namespace bitactor {

// Why a signal was resolved without its handler. The questions are asked in this order, and of
// several causes the first one counts: first what no handler would want, then what the handler has
// seen, last what is dropped to save work.
enum class Bypass : uint8_t {
  kUnhandled,    // nobody registered the kind, and EngineOptions::unhandled says to go on
  kIgnored,      // Engine::Ignore()
  kEffectFree,   // kEffectFree<Handler>
  kExpired,      // ExpiredAfter()
  kMasked,       // Mask()
  kDuplicate,    // DuplicateWithin()
  kUnchanged,    // Unchanged()
  kDeadBand,     // DeadBand()
  kSampled,      // SampleEvery()
  kRateLimited,  // RateLimit()
  kNone,         // no cause: the handler runs
};
inline constexpr size_t kBypassCauses = static_cast<size_t>(Bypass::kNone);
const char* BypassName(Bypass cause);

// Signals bypassed, by cause.
class BypassCounts {
 public:
  uint64_t& operator[](Bypass cause) { return counts_[static_cast<size_t>(cause)]; }
  uint64_t operator[](Bypass cause) const { return counts_[static_cast<size_t>(cause)]; }
  uint64_t total() const {
    uint64_t total = 0;
    for (const uint64_t count : counts_) total += count;
    return total;
  }
  BypassCounts& operator+=(const BypassCounts& other) {
    for (size_t i = 0; i < kBypassCauses; ++i) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::array<uint64_t, kBypassCauses> counts_{};
};

// Whether running a handler of this type can be seen by nobody: Engine::On() does not keep it, and
// its signals are bypassed. Say so in the class, `static constexpr bool kEffectFree = true`, or
// specialise this.
// Claims: the program does the same as if the handler ran, if what is said of it is true.
template <typename Handler>
inline constexpr bool kEffectFree = [] {
  if constexpr (requires { Handler::kEffectFree; }) {
    return bool{Handler::kEffectFree};
  } else {
    return false;
  }
}();

// One filter, as declared. Made by the functions below, given to HandlerSetup::ZeroTick().
struct ZeroTickFilter {
  using Within = bool (*)(const std::byte* now, const std::byte* last, const std::byte* band);

  Bypass cause;
  uint8_t value_bytes = 0;   // size of the type whose members are named; 0: none are
  uint8_t offset = 0;        // of the member that is looked at
  uint8_t member_bytes = 0;  // its size
  uint64_t count = 0;        // bits of a mask, signals of a window, a sample or a rate
  uint64_t span_ns = 0;
  std::array<std::byte, kMaxSignalBytes> watched = {};  // 0xFF: this byte must not have changed
  Within within = nullptr;                              // of a dead band
  std::array<std::byte, sizeof(uint64_t)> band = {};
};

namespace internal {

template <typename T, typename M>
size_t OffsetOf(M T::*member) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxSignalBytes,
                "T is not the value of any signal");
  // A place for the member to have an address in; nothing is read.
  alignas(T) std::byte storage[sizeof(T)];
  const T* object = std::launder(reinterpret_cast<const T*>(storage));
  return static_cast<size_t>(reinterpret_cast<const std::byte*>(&(object->*member)) - storage);
}

template <typename T, typename M>
ZeroTickFilter FilterOf(Bypass cause, M T::*member) {
  ZeroTickFilter filter{.cause = cause};
  filter.value_bytes = sizeof(T);
  filter.offset = static_cast<uint8_t>(OffsetOf(member));
  filter.member_bytes = sizeof(M);
  return filter;
}

template <typename T, typename M>
void Watch(ZeroTickFilter& filter, M T::*member) {
  std::memset(filter.watched.data() + OffsetOf(member), 0xFF, sizeof(M));
}

template <typename M>
bool WithinBand(const std::byte* now, const std::byte* last, const std::byte* band) {
  M a, b, limit;
  std::memcpy(&a, now, sizeof(M));
  std::memcpy(&b, last, sizeof(M));
  std::memcpy(&limit, band, sizeof(M));
  if constexpr (std::is_floating_point_v<M>) {
    return (a < b ? b - a : a - b) <= limit;  // not of a NaN
  } else {
    // The difference of any two fits the unsigned type.
    using U = std::make_unsigned_t<M>;
    const U difference = static_cast<U>(a < b ? static_cast<U>(b) - static_cast<U>(a)
                                              : static_cast<U>(a) - static_cast<U>(b));
    return difference <= static_cast<U>(limit);
  }
}

template <typename M>
inline constexpr bool kIsPlainNumber = std::is_integral_v<M> ||
                                       (std::is_floating_point_v<M> && sizeof(M) <= sizeof(double));

}  // namespace internal

// The filters. T is the type of the signal's value; the handler of a signal whose value has another
// size runs, whatever the filters say. "The last" is the last signal of the kind that the handler
// ran for: what was bypassed, for whatever cause, leaves no memory. After a handler that threw, the
// last is forgotten.

// Bypasses a signal in which every named member equals, byte for byte, that of the last. Bytes, not
// values: 0.0 and -0.0 differ, a NaN equals itself. Last of the kind, not last with the same key:
// of two symbols that alternate nothing is bypassed.
// Claims: the program does the same as if the handler ran, if a second run with equal members
// changes nothing. So the handler reads no other member, counts nothing and reads no clock, and
// what it wrote is undone by no other handler.
template <typename T, typename... Members>
ZeroTickFilter Unchanged(Members T::*... members) {
  static_assert(sizeof...(Members) > 0, "name at least one member");
  ZeroTickFilter filter{.cause = Bypass::kUnchanged};
  filter.value_bytes = sizeof(T);
  (internal::Watch(filter, members), ...);
  return filter;
}

// Bypasses a signal whose number moved by at most `band` since the last, when all of `others`
// equal, byte for byte, those of the last. A slow drift gets through: the last is what was handled.
// Results: the handler does not see the small moves.
// REQUIRES: band >= 0.
template <typename T, typename M, typename... Others>
ZeroTickFilter DeadBand(M T::*member, std::type_identity_t<M> band, Others T::*... others) {
  static_assert(internal::kIsPlainNumber<M>, "a dead band is of an integer, a float or a double");
  BITACTOR_CHECK(band >= M{0});
  ZeroTickFilter filter = internal::FilterOf(Bypass::kDeadBand, member);
  filter.within = &internal::WithinBand<M>;
  std::memcpy(filter.band.data(), &band, sizeof(M));
  (internal::Watch(filter, others), ...);
  return filter;
}

// Lets signals through that have at least one of `bits` in the member.
// Results: the handler does not see the others.
template <typename T, typename M>
ZeroTickFilter Mask(M T::*member, std::type_identity_t<M> bits) {
  static_assert(std::is_integral_v<M>, "bits are those of an integer");
  ZeroTickFilter filter = internal::FilterOf(Bypass::kMasked, member);
  std::memcpy(&filter.count, &bits, sizeof(M));
  return filter;
}

// Lets the first of every `every` signals through, counting those that the filters before it let
// through.
// Results: the handler does not see the others.
// REQUIRES: 1 <= every.
ZeroTickFilter SampleEvery(uint64_t every);

// Lets a signal through while less than `count` were handled in the span of length `per` that ends
// now. Now is the engine's clock, read once a round.
// Results: the handler does not see the others.
// REQUIRES: 1 <= count <= kMaxFilterMemory, per > 0. Keeps 8 bytes for each of `count`.
ZeroTickFilter RateLimit(uint64_t count, absl::Duration per);

// Bypasses a signal whose member equals that of one of the last `signals` handled ones. Cost: half
// a ns for each of them.
// Claims: as Unchanged(), if a second run with an equal member changes nothing (a number that the
// source gives once).
// REQUIRES: 1 <= signals <= kMaxFilterMemory.
ZeroTickFilter DuplicateWithin(size_t offset, size_t member_bytes, size_t value_bytes,
                               uint64_t signals);
template <typename T, typename M>
ZeroTickFilter DuplicateWithin(M T::*member, uint64_t signals) {
  static_assert(std::has_unique_object_representations_v<M> && sizeof(M) <= sizeof(uint64_t),
                "a number of up to 8 bytes tells signals apart");
  return DuplicateWithin(internal::OffsetOf(member), sizeof(M), sizeof(T), signals);
}

// Bypasses a signal that is older than `age`: the member holds nanoseconds of the engine's clock.
// Now is read once a round. A time in the future is not old.
// Results: the handler does not see what came too late.
// REQUIRES: age >= 0.
ZeroTickFilter ExpiredAfter(size_t offset, size_t value_bytes, absl::Duration age);
template <typename T>
ZeroTickFilter ExpiredAfter(uint64_t T::*stamp_ns, absl::Duration age) {
  return ExpiredAfter(internal::OffsetOf(stamp_ns), sizeof(T), age);
}

inline constexpr uint64_t kMaxFilterMemory = 65'536;

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_ZERO_TICK_H_
