// A 64-bit digest of state: the same in every process, on every machine, for equal state.
#ifndef BITACTOR_TOOLS_MARKET_DIGEST_H_
#define BITACTOR_TOOLS_MARKET_DIGEST_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bitactor/l1_core/frame.h"

namespace bitactor::market {

// Against accidents, not against attackers. The order of Add() matters.
class StateDigest {
 public:
  void Add(uint64_t word) { value_ = Mix64((value_ + 0x9E3779B97F4A7C15ull) ^ Mix64(word)) + word; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// Adds an object word by word. It must have no padding, since the bytes of padding are not part of
// its value.
template <typename D, typename T>
void AddObject(D& digest, const T& object) {
  static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>);
  static_assert(sizeof(T) % sizeof(uint64_t) == 0);
  static_assert(std::endian::native == std::endian::little, "words differ between byte orders");
  for (size_t at = 0; at < sizeof(T); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&object) + at, sizeof word);
    digest.Add(word);
  }
}

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_DIGEST_H_
