// The lines by which a clock turns cycles into nanoseconds, handed to readers that never wait.
#ifndef BITACTOR_L1_CORE_CLOCK_LINES_H_
#define BITACTOR_L1_CORE_CLOCK_LINES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bitactor::internal {

// From start_cycles on: start_ns, and so many nanoseconds for each cycle more. All sums are modulo
// 2^64, so that a counter may wrap; cycles up to 2^63 before the start are on the line as well.
struct ClockLine {
  uint64_t start_cycles = 0;
  uint64_t start_ns = 0;
  uint64_t ns_per_cycle_q32 = uint64_t{1} << 32;

  bool Covers(uint64_t cycles) const { return static_cast<int64_t>(cycles - start_cycles) >= 0; }
  uint64_t At(uint64_t cycles) const {
    return Covers(cycles) ? start_ns + Nanos(cycles - start_cycles)
                          : start_ns - Nanos(start_cycles - cycles);
  }
  uint64_t Nanos(uint64_t cycles) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(cycles) * ns_per_cycle_q32) >> 32);
  }
};

// The newest line and the one before it. Each line starts in the future, where it meets its
// predecessor or lies above it; until then the predecessor is in force. So a reader that has not
// seen the newest line yet reads the same time as one that has, and time does not step back:
//
//   L1  Line n is in slot n % kSlots; epoch is the number of the newest complete line.
//   L2  Publish(n) writes its slot when epoch is n - 1, and nothing else. So a reader that saw epoch
//       e and reads the slots of e and e - 1 can meet Publish(e + kSlots - 1) at the earliest.
//   L3  Such a reader then sees epoch e + kSlots - 2 or more when it looks again (SYNC(line-slot)),
//       and starts anew. What it accepts is therefore whole.
//
// Threads: At() by any; Publish() by one at a time.
// Progress: At() begins again only when two lines were published meanwhile, that is after two
//   rechecks; a publisher that is held in the middle holds nobody.
// Errors: none.
// Cost: a multiplication, and five loads from two cache lines that change once a second.
class ClockLines {
 public:
  ClockLines() { Start({}); }
  ClockLines(const ClockLines&) = delete;
  ClockLines& operator=(const ClockLines&) = delete;

  uint64_t At(uint64_t cycles) const {
    // SYNC(line-epoch): pairs with Publish(). The lines up to this one are complete.
    const uint64_t epoch = epoch_.load(std::memory_order_acquire);
    const ClockLine line = slots_[epoch % kSlots].Read();
    if (line.Covers(cycles) && StillWhole(epoch)) [[likely]]
      return line.At(cycles);
    return AtLineBefore(cycles);
  }

  // The first line, also for what was before it. REQUIRES: no other thread reads yet.
  void Start(const ClockLine& line) {
    for (Slot& slot : slots_) slot.Write(line);
  }
  // REQUIRES: the start of the line before has passed.
  void Publish(const ClockLine& line) {
    // Relaxed: written by publishers alone, whom the caller puts in a row.
    const uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    slots_[epoch % kSlots].Write(line);
    // SYNC(line-epoch): pairs with At().
    epoch_.store(epoch, std::memory_order_release);
  }

 private:
  static constexpr size_t kSlots = 4;

  // Relaxed: if a word read came from a later Publish(), SYNC(line-slot) makes its epoch seen.
  bool StillWhole(uint64_t epoch) const {
    return epoch_.load(std::memory_order_relaxed) - epoch < kSlots - 2;
  }
  // Out of line: for 10 ms after a Publish(), and when two of them came between.
  __attribute__((noinline)) uint64_t AtLineBefore(uint64_t cycles) const {
    for (;;) {
      // SYNC(line-epoch): pairs with Publish().
      const uint64_t epoch = epoch_.load(std::memory_order_acquire);
      ClockLine line = slots_[epoch % kSlots].Read();
      if (!line.Covers(cycles)) line = slots_[(epoch - 1) % kSlots].Read();
      if (StillWhole(epoch)) return line.At(cycles);
    }
  }

  struct alignas(32) Slot {
    // SYNC(line-slot): who reads a word of line n also sees the epoch n - 1 that was stored before
    // the word was. On x86 both orders are plain moves.
    ClockLine Read() const {
      return {.start_cycles = start_cycles.load(std::memory_order_acquire),
              .start_ns = start_ns.load(std::memory_order_acquire),
              .ns_per_cycle_q32 = ns_per_cycle_q32.load(std::memory_order_acquire)};
    }
    // SYNC(line-slot): pairs with Read().
    void Write(const ClockLine& line) {
      start_cycles.store(line.start_cycles, std::memory_order_release);
      start_ns.store(line.start_ns, std::memory_order_release);
      ns_per_cycle_q32.store(line.ns_per_cycle_q32, std::memory_order_release);
    }

    std::atomic<uint64_t> start_cycles{0};
    std::atomic<uint64_t> start_ns{0};
    std::atomic<uint64_t> ns_per_cycle_q32{0};
  };

  // All written by the publisher alone.
  alignas(64) std::array<Slot, kSlots> slots_;
  std::atomic<uint64_t> epoch_{0};
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_CLOCK_LINES_H_
