// Where a thread runs and where memory lies.
#ifndef BITACTOR_L1_CORE_PLACEMENT_H_
#define BITACTOR_L1_CORE_PLACEMENT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitactor {

// Placement is for start: nothing here is cheap.
//
// Threads: any; what a function says of "this thread" concerns its caller alone.
// Errors: kInvalidArgument for a processor or node that is not there, with those that are. What the
//   system refuses (a container may) keeps the system's code. Nothing has changed then.
//
// A kernel without NUMA counts as one node, 0, so that a program that places its memory runs there
// too. A thread that is pinned before it makes its own memory has it on its node without asking:
// Linux takes a page from the node of the thread that writes it first.

// The processors this thread may run on, ascending. Empty when the system does not say.
std::vector<int> AllowedCpus();

// Keeps this thread on `cpu`, one of AllowedCpus().
absl::Status PinThisThread(int cpu);

// Keeps this thread on one processor while it lives, then gives back what was allowed before.
class ScopedPin {
 public:
  explicit ScopedPin(int cpu);
  ~ScopedPin();
  ScopedPin(const ScopedPin&) = delete;
  ScopedPin& operator=(const ScopedPin&) = delete;

  // Of the pinning. A thread that could not be pinned stays where it was.
  const absl::Status& status() const { return status_; }

 private:
  const std::vector<int> before_;
  const absl::Status status_;
};

// The NUMA nodes that have memory, ascending; {0} where the kernel has no NUMA.
std::vector<int> NumaNodes();

// The node of a processor, allowed to this thread or not; 0 where the kernel has no NUMA.
absl::StatusOr<int> NumaNodeOf(int cpu);

// Asks that [memory, memory + size_bytes), up to the next whole page, lie on `node`, one of
// NumaNodes(): pages already written move there, others will be taken there. A full node does not
// end the program: the rest comes from others. REQUIRES: `memory` begins a page of a mapping.
absl::Status PlaceMemory(void* memory, size_t size_bytes, int node);

namespace internal {

// Numbers of a list as the kernel prints them, "0-2,5"; empty when the text is not one.
std::vector<int> ParseKernelList(const std::string& text);
// As the functions above, out of a tree that is laid out like /sys/devices/system.
std::vector<int> NumaNodesIn(const std::string& devices);
absl::StatusOr<int> NumaNodeIn(const std::string& devices, int cpu);

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_PLACEMENT_H_
