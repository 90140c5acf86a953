// Tells whether the operating system took the processor away from this thread.
#ifndef BITACTOR_L1_CORE_PREEMPTION_WITNESS_H_
#define BITACTOR_L1_CORE_PREEMPTION_WITNESS_H_

#include <cstdint>

namespace bitactor {

// Lays out a mark that the kernel takes away when it switches the thread: the pointer to a
// restartable sequence (rseq(2)), which it clears when the thread comes back and was in none. Only
// when the mark is gone the thread's count of involuntary switches is asked for.
//
// Threads: one, which is looked at; at most one witness on a thread has a mark out.
// Errors: without rseq (old C library or kernel, some emulators) it never sees anything;
//   available() says so.
// Cost: LayMark() is one store; WasPreempted() one load, and a system call when the mark is gone.
class PreemptionWitness {
 public:
  // Of the thread that constructs it, and uses it from now on.
  PreemptionWitness();
  PreemptionWitness(const PreemptionWitness&) = delete;
  PreemptionWitness& operator=(const PreemptionWitness&) = delete;
  ~PreemptionWitness();

  bool available() const { return place_ != nullptr; }

  void LayMark() {
    if (place_ != nullptr) *place_ = mark_;
  }
  // Whether the thread was switched against its will since LayMark(). A switch because it waited for
  // something (a lock, a file) is its own doing and does not count.
  bool WasPreempted() { return place_ != nullptr && *place_ != mark_ && CountRose(); }

 private:
  bool CountRose();

  volatile uint64_t* place_ = nullptr;
  uint64_t mark_ = 0;
  int64_t involuntary_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_PREEMPTION_WITNESS_H_
