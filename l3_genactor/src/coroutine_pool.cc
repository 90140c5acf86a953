#include "bitactor/l3_genactor/coroutine_pool.h"

namespace bitactor::internal {

// Its destructor runs at the end of the thread that touched it.
struct CoroutinePool::CleanUp {
  CleanUp() { cache_.state = State::kOpen; }
  ~CleanUp() { ReleaseAll(); }
};

void CoroutinePool::FreeSlow(void* block, size_t size_bytes) noexcept {
  const size_t index = (size_bytes - 1) / kClassBytes;
  if (index < kClasses && cache_.state == State::kUnused) {
    // Nothing is cached before the clean-up that returns it is registered.
    static thread_local CleanUp clean_up;
    static_cast<void>(clean_up);
    if (cache_.state == State::kOpen) return Free(block, size_bytes);
  }
  ::operator delete (block, std::align_val_t{kClassBytes});
}

void CoroutinePool::ReleaseAll() noexcept {
  cache_.state = State::kClosed;
  for (size_t index = 0; index < kClasses; ++index) {
    FreeList& list = cache_.lists[index];
    while (list.head != nullptr) {
      FreeBlock* const block = list.head;
      list.head = block->next;
      Unpoison(block, index);
      ::operator delete (block, std::align_val_t{kClassBytes});
    }
    list.count = 0;
  }
}

}  // namespace bitactor::internal
