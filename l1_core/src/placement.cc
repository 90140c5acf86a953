#include "bitactor/l1_core/placement.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bitactor {
namespace {

constexpr const char* kDevices = "/sys/devices/system";

// The kernel's upper bounds: MAX_NUMNODES, and four times the largest NR_CPUS of a distribution.
constexpr int kMaxNodes = 1024;
constexpr size_t kMaxCpuSets = 32;
constexpr int kMaxCpus = static_cast<int>(kMaxCpuSets) * CPU_SETSIZE;

bool Contains(const std::vector<int>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// The bits of `cpus`, all of them below kMaxCpus, in as many sets as they need.
std::vector<cpu_set_t> SetsOf(const std::vector<int>& cpus) {
  std::vector<cpu_set_t> sets(static_cast<size_t>(cpus.back()) / CPU_SETSIZE + 1);
  for (const int cpu : cpus) {
    CPU_SET_S(static_cast<size_t>(cpu), sets.size() * sizeof(cpu_set_t), sets.data());
  }
  return sets;
}

// Returns 0 or the system's error. REQUIRES: cpus is ascending and not empty.
int Allow(const std::vector<int>& cpus) {
  const std::vector<cpu_set_t> sets = SetsOf(cpus);
  return ::sched_setaffinity(0, sets.size() * sizeof(cpu_set_t), sets.data()) == 0 ? 0 : errno;
}

}  // namespace

std::vector<int> AllowedCpus() {
  std::vector<int> cpus;
  // EINVAL: the kernel has more processors than the sets have bits.
  for (size_t sets = 1; sets <= kMaxCpuSets; sets *= 2) {
    std::vector<cpu_set_t> allowed(sets);
    const size_t size_bytes = sets * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, size_bytes, allowed.data()) != 0) {
      if (errno == EINVAL) continue;
      break;
    }
    for (size_t cpu = 0; cpu < sets * CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET_S(cpu, size_bytes, allowed.data())) cpus.push_back(static_cast<int>(cpu));
    }
    break;
  }
  return cpus;
}

absl::Status PinThisThread(int cpu) {
  // The kernel says EINVAL to a processor that does not exist or is not ours; a sandbox may say
  // EPERM to all.
  const int error = cpu >= 0 && cpu < kMaxCpus ? Allow({cpu}) : EINVAL;
  if (error == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(
      error, absl::StrCat("cannot pin this thread to processor ", cpu, "; it may run on ",
                          absl::StrJoin(AllowedCpus(), ", "),
                          ". Choose one of these, or widen the set (taskset, cpuset)"));
}

ScopedPin::ScopedPin(int cpu) : before_(AllowedCpus()), status_(PinThisThread(cpu)) {}

ScopedPin::~ScopedPin() {
  // Cannot fail for want of a processor: all of these were allowed.
  if (status_.ok() && !before_.empty()) static_cast<void>(Allow(before_));
}

std::vector<int> NumaNodes() { return internal::NumaNodesIn(kDevices); }

absl::StatusOr<int> NumaNodeOf(int cpu) { return internal::NumaNodeIn(kDevices, cpu); }

absl::Status PlaceMemory(void* memory, size_t size_bytes, int node) {
  const std::vector<int> nodes = NumaNodes();
  if (node >= kMaxNodes || !Contains(nodes, node)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no NUMA node ", node, " with memory; this machine has ", absl::StrJoin(nodes, ", ")));
  }
  constexpr size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;
  std::array<unsigned long, kMaxNodes / kWordBits> mask{};
  mask[static_cast<size_t>(node) / kWordBits] |= 1ul << (static_cast<size_t>(node) % kWordBits);
  // Preferred, not bound: where a bound node is full the kernel ends a program. The kernel reads
  // one bit less than it is told.
  if (::syscall(SYS_mbind, memory, size_bytes, MPOL_PREFERRED, mask.data(), kMaxNodes + 1,
                MPOL_MF_MOVE) == 0 ||
      errno == ENOSYS) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(
      errno, absl::StrCat("cannot place ", size_bytes, " bytes of memory on NUMA node ", node));
}

namespace internal {

std::vector<int> ParseKernelList(const std::string& text) {
  std::vector<int> numbers;
  for (const auto part : absl::StrSplit(text, ',')) {
    const std::vector<std::string> ends = absl::StrSplit(part, '-');
    int first = 0, last = 0;
    if (ends.size() > 2 || !absl::SimpleAtoi(ends.front(), &first) ||
        !absl::SimpleAtoi(ends.back(), &last) || first < 0 || last < first || last >= kMaxCpus) {
      return {};
    }
    for (int number = first; number <= last; ++number) numbers.push_back(number);
  }
  return numbers;
}

std::vector<int> NumaNodesIn(const std::string& devices) {
  std::ifstream file(devices + "/node/has_memory");
  std::string line;
  std::getline(file, line);
  std::vector<int> nodes = ParseKernelList(line);
  if (nodes.empty()) nodes.push_back(0);
  return nodes;
}

absl::StatusOr<int> NumaNodeIn(const std::string& devices, int cpu) {
  // The folder of a processor holds a link to its node: cpu3/node1.
  std::error_code error;
  std::filesystem::directory_iterator entries(absl::StrCat(devices, "/cpu/cpu", cpu), error);
  if (error) {
    std::ifstream file(devices + "/cpu/possible");
    std::string possible;
    if (!std::getline(file, possible)) return 0;  // no /sys: nothing is known of nodes either
    return absl::InvalidArgumentError(
        absl::StrCat("no processor ", cpu, "; this machine has ", possible));
  }
  for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    int node = 0;
    if (name.rfind("node", 0) == 0 && absl::SimpleAtoi(name.substr(4), &node)) return node;
    if (error) break;
  }
  return 0;
}

}  // namespace internal
}  // namespace bitactor
