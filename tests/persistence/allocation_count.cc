#include "persistence/allocation_count.h"

#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t allocations = 0;

}  // namespace

// In a file of its own: where the compiler sees through both, it takes malloc's memory in delete
// for a mistake.
void* operator new(size_t size_bytes) {
  ++allocations;
  if (void* memory = std::malloc(size_bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace bitactor::test {

uint64_t AllocationCount() { return allocations; }

}  // namespace bitactor::test
