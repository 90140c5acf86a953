// Assertions: a failed one is a bug of ours or of the caller, never bad input. All but
// BITACTOR_DCHECK stay on in release builds.
#ifndef BITACTOR_L1_CORE_CHECK_H_
#define BITACTOR_L1_CORE_CHECK_H_

#include <sstream>
#include <string>

namespace bitactor::internal {

// Prints one line to standard error and aborts. Kept out of line so that a check costs one
// predicted branch.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what,
                              const std::string& values);

template <typename A, typename B>
[[noreturn]] __attribute__((noinline, cold)) void CheckOpFailed(const char* file, int line,
                                                                const char* what, const A& a,
                                                                const B& b) {
  std::ostringstream values;
  values << a << " and " << b;
  CheckFailed(file, line, what, values.str());
}

}  // namespace bitactor::internal

#define BITACTOR_CHECK(condition)                    \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::bitactor::internal::CheckFailed(__FILE__, __LINE__, #condition, ""))

// Where the check would cost more than the work, and where only a caller's bug can fail it.
#ifdef NDEBUG
#define BITACTOR_DCHECK(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
#define BITACTOR_DCHECK(condition) BITACTOR_CHECK(condition)
#endif

#define BITACTOR_INTERNAL_CHECK_OP(a, op, b)                                                       \
  do {                                                                                             \
    const auto& bitactor_check_a = (a);                                                            \
    const auto& bitactor_check_b = (b);                                                            \
    if (__builtin_expect(!(bitactor_check_a op bitactor_check_b), 0))                              \
      ::bitactor::internal::CheckOpFailed(__FILE__, __LINE__, #a " " #op " " #b, bitactor_check_a, \
                                          bitactor_check_b);                                       \
  } while (false)

#define BITACTOR_CHECK_EQ(a, b) BITACTOR_INTERNAL_CHECK_OP(a, ==, b)
#define BITACTOR_CHECK_NE(a, b) BITACTOR_INTERNAL_CHECK_OP(a, !=, b)
#define BITACTOR_CHECK_LT(a, b) BITACTOR_INTERNAL_CHECK_OP(a, <, b)
#define BITACTOR_CHECK_LE(a, b) BITACTOR_INTERNAL_CHECK_OP(a, <=, b)

#endif  // BITACTOR_L1_CORE_CHECK_H_
