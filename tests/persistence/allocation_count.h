// Counts the allocations of a test program that links allocation_count.cc.
#ifndef BITACTOR_TESTS_PERSISTENCE_ALLOCATION_COUNT_H_
#define BITACTOR_TESTS_PERSISTENCE_ALLOCATION_COUNT_H_

#include <cstdint>

namespace bitactor::test {

// Calls of operator new by the calling thread so far.
uint64_t AllocationCount();

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_ALLOCATION_COUNT_H_
