// Keeps the compiler from removing the work that a benchmark measures.
#ifndef BITACTOR_BENCH_OPTIMIZER_GUARD_H_
#define BITACTOR_BENCH_OPTIMIZER_GUARD_H_

#include <type_traits>

namespace bitactor::bench {

// The value is "used" by an empty instruction, so it has to be computed. Scalars may stay in a
// register; anything else is used where it lies in memory.
template <typename T>
inline void DoNotOptimize(const T& value) {
  if constexpr (std::is_scalar_v<T>) {
    asm volatile("" : : "r,m"(value) : "memory");
  } else {
    asm volatile("" : : "m"(value) : "memory");
  }
}

// Every byte in memory may be read and changed here: stores before it happen, loads after it are
// done anew. Costs no instruction.
inline void ClobberMemory() { asm volatile("" : : : "memory"); }

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_OPTIMIZER_GUARD_H_
