#include "bitactor/l1_core/preemption_witness.h"

#include <sys/resource.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define BITACTOR_HAS_RSEQ 1
#endif
#endif

namespace bitactor {
namespace {

int64_t InvoluntarySwitches() {
  rusage usage;
  return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

#if defined(BITACTOR_HAS_RSEQ)
// What the kernel wants to find in front of the place where a sequence would be aborted to.
constexpr uint32_t kBeforeAbort[2] = {RSEQ_SIG, 0};

// A sequence of no instructions, which no thread is ever in and which is never aborted.
const rseq_cs* EmptySequence() {
  alignas(32) static const rseq_cs sequence = {
      .version = 0,
      .flags = 0,
      .start_ip = reinterpret_cast<uintptr_t>(&kBeforeAbort[1]),
      .post_commit_offset = 0,
      .abort_ip = reinterpret_cast<uintptr_t>(&kBeforeAbort[1]),
  };
  return &sequence;
}

volatile uint64_t* PlaceOfMark() {
  if (__rseq_size == 0) return nullptr;  // the C library has not registered the thread
  auto* area = reinterpret_cast<struct rseq*>(static_cast<char*>(__builtin_thread_pointer()) +
                                              __rseq_offset);
  if (static_cast<int32_t>(area->cpu_id) < 0) return nullptr;
  return reinterpret_cast<volatile uint64_t*>(&area->rseq_cs);
}
#endif

}  // namespace

PreemptionWitness::PreemptionWitness() {
#if defined(BITACTOR_HAS_RSEQ)
  place_ = PlaceOfMark();
  mark_ = reinterpret_cast<uintptr_t>(EmptySequence());
#endif
  involuntary_ = InvoluntarySwitches();
}

PreemptionWitness::~PreemptionWitness() {
  if (place_ != nullptr) *place_ = 0;
}

bool PreemptionWitness::CountRose() {
  const int64_t before = involuntary_;
  involuntary_ = InvoluntarySwitches();
  return involuntary_ != before;
}

}  // namespace bitactor
