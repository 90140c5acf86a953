// A part of a stats file: one writer, readers in any process, never torn.
#ifndef BITACTOR_L2_MAILBOX_STATS_SECTION_H_
#define BITACTOR_L2_MAILBOX_STATS_SECTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor::internal {

// Words of a mapped file are read and written as atomics: another process may do so too.
inline std::atomic_ref<uint64_t> StatsWord(const uint64_t* word) {
  return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(*word));  // atomic_ref<const T> is C++26
}

// Where a section lies: two copies one after the other, written in turn, each of
//   word 0: the version: 2n - 1 while publication n is written, 2n when it is whole, 0: never,
//   word 1: payload words in the upper half, CRC-32C in the lower, begun with the section's number,
//   words 2 on: the payload.
struct StatsPlace {
  static constexpr size_t kHeadWords = 2;
  size_t at_words = 0;
  size_t capacity_words = 0;
  uint32_t number = 0;

  size_t copy_words() const { return (kHeadWords + capacity_words + 7) / 8 * 8; }
  size_t copy_at(uint64_t publication) const { return at_words + (publication & 1) * copy_words(); }
  size_t end_words() const { return at_words + 2 * copy_words(); }
};

// Threads: one at a time; its successor comes after it.
// Progress: wait-free, on both sides.
// Cost: a store and 8 bytes of checksum a word, below 1 ns.
//
//   V1  Publication n is written to copy n % 2, which has an odd version meanwhile; the copy with
//       publication n - 1 is left alone, so one copy is whole whenever the writer dies.
//   V2  Who reads a word of publication n + 2 where it looked for n sees the version 2n + 3 or later
//       when it looks again, and discards what it read.
class StatsSection {
 public:
  StatsSection(uint64_t* file, const StatsPlace& place) : file_(file), place_(place) {}

  void Begin() {
    ++publication_;
    copy_ = file_ + place_.copy_at(publication_);
    used_words_ = 0;
    crc_ = place_.number;
    // Relaxed: StatsSection::Store() orders it before the words.
    StatsWord(copy_).store(2 * publication_ - 1, std::memory_order_relaxed);
  }
  // REQUIRES: between Begin() and End(), and there is room.
  template <typename T>
  void Put(const T& row) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);
    static_assert(std::has_unique_object_representations_v<T>);
    uint64_t words[sizeof(T) / sizeof(uint64_t)];
    std::memcpy(words, &row, sizeof(T));
    crc_ = Crc32c(crc_, words, sizeof(words));
    BITACTOR_CHECK_LE(used_words_ + std::size(words), place_.capacity_words);
    for (const uint64_t word : words) Store(StatsPlace::kHeadWords + used_words_++, word);
  }
  void End() {
    Store(1, static_cast<uint64_t>(used_words_) << 32 | crc_);
    // SYNC(stats-version): pairs with ReadStatsCopy(); the words are there before the version that
    // calls them whole.
    StatsWord(copy_).store(2 * publication_, std::memory_order_release);
  }

 private:
  void Store(size_t index, uint64_t value) {
    // SYNC(stats-words): pairs with ReadStatsCopy(); who reads this word sees the odd version (V2).
    StatsWord(copy_ + index).store(value, std::memory_order_release);
  }

  uint64_t* const file_;
  const StatsPlace place_;
  uint64_t publication_ = 0;
  uint64_t* copy_ = nullptr;
  size_t used_words_ = 0;
  uint32_t crc_ = 0;
};

enum class StatsCopyState : uint8_t {
  kWhole,
  kNotWhole,  // never written, being written, or overwritten meanwhile
  kDamaged,   // whole by its version, and not by its checksum
};

// The version of a copy, for choosing the newer one.
inline uint64_t StatsVersion(const uint64_t* copy) {
  // Relaxed: ReadStatsCopy() looks again.
  return StatsWord(copy).load(std::memory_order_relaxed);
}

// Reads one copy of a section into `payload`.
inline StatsCopyState ReadStatsCopy(const uint64_t* copy, const StatsPlace& place,
                                    std::vector<uint64_t>& payload) {
  // SYNC(stats-version): pairs with StatsSection::End().
  const uint64_t version = StatsWord(copy).load(std::memory_order_acquire);
  if (version == 0 || version % 2 != 0) return StatsCopyState::kNotWhole;
  // SYNC(stats-words): pairs with StatsSection::Store(), as do the words below.
  const uint64_t head = StatsWord(copy + 1).load(std::memory_order_acquire);
  const size_t words = head >> 32;
  payload.resize(words <= place.capacity_words ? words : 0);
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] = StatsWord(copy + StatsPlace::kHeadWords + i).load(std::memory_order_acquire);
  }
  // Relaxed: if a word came from a later publication, its acquire has made the odd version seen (V2).
  if (StatsWord(copy).load(std::memory_order_relaxed) != version) return StatsCopyState::kNotWhole;
  const uint32_t crc = Crc32c(place.number, payload.data(), payload.size() * sizeof(uint64_t));
  return payload.size() == words && crc == static_cast<uint32_t>(head) ? StatsCopyState::kWhole
                                                                       : StatsCopyState::kDamaged;
}

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_STATS_SECTION_H_
