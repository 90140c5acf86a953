// Counts the allocations of a test program that links allocation_counter.cc.
#ifndef BITACTOR_TESTS_SUPPORT_ALLOCATION_COUNTER_H_
#define BITACTOR_TESTS_SUPPORT_ALLOCATION_COUNTER_H_

#include <cstdint>

namespace bitactor::test {

// Calls of operator new, in any of its forms, by the calling thread so far.
uint64_t AllocationCount();

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_ALLOCATION_COUNTER_H_
