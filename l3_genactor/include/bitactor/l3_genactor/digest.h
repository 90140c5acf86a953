// A 64-bit digest of an actor's state: equal states give equal values in every process and build.
#ifndef BITACTOR_L3_GENACTOR_DIGEST_H_
#define BITACTOR_L3_GENACTOR_DIGEST_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "bitactor/l1_core/frame.h"

namespace bitactor {

// Order: the value depends on what was added and in which order.
// Threads: one at a time.
// Errors: none.
// Cost: one multiplication chain (about 5 ns) for 8 bytes. Finds differences; it does not withstand
//   someone who looks for collisions.
class Digest {
 public:
  static_assert(std::endian::native == std::endian::little);

  void Add(uint64_t word) { state_ = Mix64((state_ ^ word) + kIncrement); }

  // Whole words, the last one filled up with zeros. Add the size too where it may vary.
  void AddBytes(const void* data, size_t size_bytes) {
    const auto* bytes = static_cast<const std::byte*>(data);
    for (; size_bytes >= sizeof(uint64_t); size_bytes -= sizeof(uint64_t)) {
      AddPart(bytes, sizeof(uint64_t));
      bytes += sizeof(uint64_t);
    }
    if (size_bytes > 0) AddPart(bytes, size_bytes);
  }

  uint64_t value() const { return state_; }

 private:
  static constexpr uint64_t kIncrement = 0x9E3779B97F4A7C15ull;  // 0 is no fixed point

  void AddPart(const std::byte* bytes, size_t size_bytes) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, size_bytes);
    Add(word);
  }

  uint64_t state_ = 0;
};

template <typename T>
void DigestAppend(Digest& digest, const T& value);

namespace internal {

template <typename T>
concept DigestsItself = requires(const T& value, Digest& digest) {
  value.Digest(digest);
};
template <typename T>
concept DeclaresState = requires(const T& value) {
  value.State();
};
template <typename T>
concept UnorderedContainer = requires {
  typename T::hasher;
};
template <typename T>
concept SizedRange = std::ranges::input_range<const T> && std::ranges::sized_range<const T>;
template <typename T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};
template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <typename T>
inline constexpr bool kIsAddress =
    std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;
// Equal values are equal bytes and the type says nothing else about its state.
template <typename T>
inline constexpr bool kDigestsByBytes =
    std::is_trivially_copyable_v<T>&& std::has_unique_object_representations_v<T> &&
    !kIsAddress<T> && !DigestsItself<T> && !DeclaresState<T> && !SizedRange<T> && !TupleLike<T> &&
    !kIsOptional<T>;

template <typename T>
void DigestAppendRange(Digest& digest, const T& range) {
  using Element = std::ranges::range_value_t<const T>;
  digest.Add(static_cast<uint64_t>(std::ranges::size(range)));
  if constexpr (std::ranges::contiguous_range<const T> && kDigestsByBytes<Element>) {
    digest.AddBytes(std::ranges::data(range), std::ranges::size(range) * sizeof(Element));
  } else {
    // A copy only where the elements are proxies, as those of vector<bool>.
    for (const auto& element : range) DigestAppend<Element>(digest, element);
  }
}

}  // namespace internal

// Folds `value` into the digest. In this order of preference:
//   - a member `template <typename D> void Digest(D& digest) const` that calls
//   digest.Add(uint64_t);
//   - a member `auto State() const`, e.g. `return std::tie(a_, b_);`, folded in its place;
//   - float and double by their bits (0.0 and -0.0 differ);
//   - ordered containers, strings, spans and arrays: size, then elements; optional; tuple and pair;
//   - any other trivially copyable type whose equal values have equal bytes, by its bytes.
// What depends on a run instead of the state does not compile: pointers, unordered containers
// (their order), padding. Pointers inside a struct that is folded by bytes cannot be seen: keep
// them out.
template <typename T>
void DigestAppend(Digest& digest, const T& value) {
  static_assert(!internal::UnorderedContainer<T>,
                "an unordered container has no order to digest: use std::map, or declare "
                "`template <typename D> void Digest(D&) const` that visits it sorted");
  static_assert(!internal::kIsAddress<T>,
                "an address differs from run to run: digest what it means");
  if constexpr (internal::DigestsItself<T>) {
    value.Digest(digest);
  } else if constexpr (internal::DeclaresState<T>) {
    DigestAppend(digest, value.State());
  } else if constexpr (std::is_same_v<T, float>) {
    digest.Add(std::bit_cast<uint32_t>(value));
  } else if constexpr (std::is_same_v<T, double>) {
    digest.Add(std::bit_cast<uint64_t>(value));
  } else if constexpr (internal::kIsOptional<T>) {
    digest.Add(value.has_value() ? 1 : 0);
    if (value.has_value()) DigestAppend(digest, *value);
  } else if constexpr (internal::SizedRange<T> && !internal::UnorderedContainer<T>) {
    internal::DigestAppendRange(digest, value);
  } else if constexpr (internal::TupleLike<T>) {
    std::apply([&digest](const auto&... part) { (DigestAppend(digest, part), ...); }, value);
  } else if constexpr (!internal::UnorderedContainer<T> && !internal::kIsAddress<T>) {
    static_assert(internal::kDigestsByBytes<T>,
                  "this type has padding, floating-point or non-trivial members: declare `auto "
                  "State() const { return std::tie(a_, b_); }` in it");
    digest.AddBytes(&value, sizeof(value));
  }
}

// The digest of one value.
template <typename T>
uint64_t DigestOf(const T& value) {
  Digest digest;
  DigestAppend(digest, value);
  return digest.value();
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_DIGEST_H_
