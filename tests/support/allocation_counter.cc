#include "support/allocation_counter.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t allocations = 0;

void* Allocate(size_t size_bytes) {
  ++allocations;
  return std::malloc(size_bytes != 0 ? size_bytes : 1);
}
void* AllocateAligned(size_t size_bytes, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<size_t>(alignment);
  return std::aligned_alloc(align, (size_bytes + align - 1) / align * align);
}

}  // namespace

// In a file of its own: where the compiler sees through both, it takes malloc's memory in delete
// for a mistake. The array forms of the library call these.
void* operator new(size_t size_bytes) {
  if (void* memory = Allocate(size_bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size_bytes, const std::nothrow_t&) noexcept {
  return Allocate(size_bytes);
}
void* operator new(size_t size_bytes, std::align_val_t alignment) {
  if (void* memory = AllocateAligned(size_bytes, alignment)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace bitactor::test {

uint64_t AllocationCount() { return allocations; }

}  // namespace bitactor::test
