// Where coroutine frames come from: free lists of a thread, so that a handler that suspends costs
// no heap allocation once its shard is warm.
#ifndef BITACTOR_L3_GENACTOR_COROUTINE_POOL_H_
#define BITACTOR_L3_GENACTOR_COROUTINE_POOL_H_

#include <cstddef>
#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define BITACTOR_INTERNAL_POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BITACTOR_INTERNAL_POOL_ASAN 1
#endif
#endif
#ifdef BITACTOR_INTERNAL_POOL_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace bitactor::internal {

// Threads: any; a block may be freed by another thread than the one that allocated it and then
//   joins the freeing thread's list. No atomics: a list is its thread's alone.
// Progress: wait-free while the list of the size class is not empty, else operator new's.
// Bounds: 32 size classes of 64 bytes up to 2 KiB, each caching at most 1024 free blocks (33 MiB a
//   thread when every class was once that busy); larger frames and the surplus go to the heap at
//   once.
// Ownership: a thread's cached blocks return to the heap when it ends; frames freed later still (by
//   destructors of static objects) bypass the lists.
// Errors: std::bad_alloc. Under the address sanitizer a cached block is poisoned, so that use after
//   free is found until the block is used again.
class CoroutinePool {
 public:
  static constexpr size_t kClassBytes = 64;
  static constexpr size_t kMaxPooledBytes = 2048;
  static constexpr size_t kClasses = kMaxPooledBytes / kClassBytes;
  static constexpr uint32_t kMaxCachedBlocks = 1024;

  // A block of at least `size_bytes`, aligned to 64 bytes. REQUIRES: size_bytes > 0.
  static void* Allocate(size_t size_bytes) {
    const size_t index = (size_bytes - 1) / kClassBytes;
    if (index < kClasses) [[likely]] {
      FreeList& list = cache_.lists[index];
      if (list.head != nullptr) [[likely]] {
        FreeBlock* const block = list.head;
        list.head = block->next;
        --list.count;
        Unpoison(block, index);
        return block;
      }
      size_bytes = (index + 1) * kClassBytes;
    }
    return ::operator new (size_bytes, std::align_val_t{kClassBytes});
  }

  // Gives back what Allocate(size_bytes) returned.
  static void Free(void* block, size_t size_bytes) noexcept {
    const size_t index = (size_bytes - 1) / kClassBytes;
    if (index < kClasses && cache_.state == State::kOpen) [[likely]] {
      FreeList& list = cache_.lists[index];
      if (list.count < kMaxCachedBlocks) [[likely]] {
        list.head = ::new (block) FreeBlock{list.head};
        ++list.count;
        Poison(block, index);
        return;
      }
    }
    FreeSlow(block, size_bytes);
  }

  // Free blocks that this thread holds for frames of `size_bytes`.
  static uint32_t CachedBlocks(size_t size_bytes) {
    const size_t index = (size_bytes - 1) / kClassBytes;
    return index < kClasses ? cache_.lists[index].count : 0;
  }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  struct FreeList {
    FreeBlock* head = nullptr;
    uint32_t count = 0;
  };
  enum class State : uint8_t {
    kUnused,  // this thread has not freed a frame yet: the first one arms the clean-up
    kOpen,
    kClosed,  // the clean-up ran; the thread is ending
  };
  struct Cache {
    FreeList lists[kClasses];
    State state = State::kUnused;
  };
  struct CleanUp;

  static void FreeSlow(void* block, size_t size_bytes) noexcept;
  static void ReleaseAll() noexcept;

#ifdef BITACTOR_INTERNAL_POOL_ASAN
  // The link stays readable.
  static void Poison(void* block, size_t index) {
    __asan_poison_memory_region(static_cast<std::byte*>(block) + sizeof(FreeBlock),
                                (index + 1) * kClassBytes - sizeof(FreeBlock));
  }
  static void Unpoison(void* block, size_t index) {
    __asan_unpoison_memory_region(block, (index + 1) * kClassBytes);
  }
#else
  static void Poison(void*, size_t) {}
  static void Unpoison(void*, size_t) {}
#endif

  // Neither constructor nor destructor, so that an access is one offset from the thread pointer and
  // the lists stay usable while other thread-local objects are destroyed.
  static constinit thread_local Cache cache_;
};

inline constinit thread_local CoroutinePool::Cache CoroutinePool::cache_{};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_COROUTINE_POOL_H_
