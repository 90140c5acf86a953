// All filters of one kind, composed into one pass.
#ifndef BITACTOR_L1_CORE_ZERO_TICK_PASS_H_
#define BITACTOR_L1_CORE_ZERO_TICK_PASS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l1_core/zero_tick.h"

namespace bitactor {

// What filters take for now: read when the first of them asks in a round, the same until the next.
class RoundTime {
 public:
  explicit RoundTime(const TickClock& clock) : clock_(clock) {}

  void BeginRound() { known_ = false; }
  uint64_t NowNs() {
    if (!known_) {
      now_ns_ = clock_.NowNanos();
      known_ = true;
    }
    return now_ns_;
  }

 private:
  const TickClock& clock_;
  uint64_t now_ns_ = 0;
  bool known_ = false;
};

namespace internal {

// Chosen bytes of a value, in the words of 8 bytes that hold them.
class WatchedWords {
 public:
  static constexpr size_t kMaxWords = kMaxSignalBytes / sizeof(uint64_t);

  WatchedWords() = default;
  // Those where `watched` is not 0.
  explicit WatchedWords(const std::array<std::byte, kMaxSignalBytes>& watched);

  size_t size() const { return size_; }

  // Whether one of the chosen bytes differs from that of the remembered signal.
  // REQUIRES: kWords == size(), or 0: it is not known before.
  template <size_t kWords = 0>
  bool Differ(const Signal& signal) const {
    const size_t words = kWords != 0 ? kWords : size_;
    uint64_t difference = 0;
    for (size_t i = 0; i < words; ++i) {
      difference |= (Load(signal, words_[i].offset) ^ words_[i].last) & words_[i].mask;
    }
    return difference != 0;
  }
  void Remember(const Signal& signal) {
    for (size_t i = 0; i < size_; ++i) words_[i].last = Load(signal, words_[i].offset);
  }

 private:
  struct Word {
    uint64_t mask;
    uint64_t last;
    size_t offset;
  };

  static uint64_t Load(const Signal& signal, size_t offset) {
    uint64_t word;
    std::memcpy(&word, signal.payload + offset, sizeof(word));
    return word;
  }

  size_t size_ = 0;
  std::array<Word, kMaxWords> words_{};
};

}  // namespace internal

// Asks the filters in the order of Bypass. Filters of different causes add up; of two with the same
// cause the later declaration stays.
//
//   Z1  A signal has at most one cause: the first filter that bypasses ends the pass.
//   Z2  What filters remember of signals is of those that Check() let through, and of no other;
//       only the count of SampleEvery() includes what the rate limit then bypassed.
//
// Threads: one.
// Bounds: fixed by the filters; nothing is allocated after the last Add().
// Errors: filters of values of different sizes are a bug and abort.
// Cost: Unchanged() alone has a function of its own for each number of words (8 bytes) that its
//   members lie in.
class alignas(kCacheLineBytes) ZeroTickPass {
 public:
  // REQUIRES: filter.value_bytes is 0 or equal to that of all filters before.
  void Add(const ZeroTickFilter& filter);

  // Why to bypass this signal; kNone: its handler runs, and the signal is remembered.
  Bypass Check(const Signal& signal, RoundTime& time) { return check_(*this, signal, time); }

  // The handler of the signal that Check() let through last has thrown: the next is handled
  // whatever it says. A rate limit counts the failure.
  void Forget();

 private:
  using CheckFunction = Bypass (*)(ZeroTickPass&, const Signal&, RoundTime&);
  static constexpr uint8_t kNothing = 0xFF;  // the size of no signal

  // The last of a fixed number of values.
  class Ring {
   public:
    Ring() = default;
    explicit Ring(size_t capacity) : values_(capacity) {}
    bool full() const { return size_ == values_.size(); }
    // REQUIRES: full().
    uint64_t oldest() const { return values_[next_]; }
    bool Contains(uint64_t value) const;
    void Push(uint64_t value);
    void PopNewest();

   private:
    std::vector<uint64_t> values_;
    size_t size_ = 0;
    size_t next_ = 0;
  };

  template <size_t kWords>
  static Bypass CheckUnchanged(ZeroTickPass& pass, const Signal& signal, RoundTime& time);
  static Bypass CheckAll(ZeroTickPass& pass, const Signal& signal, RoundTime& time);

  static CheckFunction UnchangedFunction(size_t words);
  bool Has(Bypass cause) const { return (causes_ >> static_cast<unsigned>(cause) & 1) != 0; }
  // The first cause that concerns this signal. REQUIRES: its size fits.
  Bypass FirstCause(const Signal& signal, RoundTime& time);
  // REQUIRES: its size fits.
  void Remember(const Signal& signal, RoundTime& time);

  CheckFunction check_ = &CheckAll;
  uint8_t last_size_bytes_ = kNothing;  // kNothing: the last is forgotten
  uint8_t value_bytes_ = 0;             // that signals must have; 0: any
  uint16_t causes_ = 0;                 // bit by Bypass
  internal::WatchedWords unchanged_;
  // What only CheckAll() reads.
  ZeroTickFilter expired_{}, mask_{}, duplicate_{}, dead_band_{}, rate_limit_{};
  internal::WatchedWords band_unchanged_;
  uint64_t band_last_ = 0;
  uint64_t sample_every_ = 1;
  uint64_t sample_at_ = 0;
  Ring recent_;      // values of the duplicate filter
  Ring handled_ns_;  // times of the rate limit
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_ZERO_TICK_PASS_H_
