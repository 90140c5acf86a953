#include "bench/environment.h"

#include <sched.h>

#include <ctime>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::bench {
namespace {

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(':');
    if (colon != std::string::npos && colon + 2 < line.size()) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string CompilerName() {
#if defined(__clang__)
  return absl::StrCat("clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#elif defined(__GNUC__)
  return absl::StrCat("g++ ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc;
  if (gmtime_r(&now, &utc) == nullptr) return "unknown";
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void Allow(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  // A refusal (a container may forbid it) leaves the thread where it was, which is all we need.
  static_cast<void>(sched_setaffinity(0, sizeof(set), &set));
}

}  // namespace

Environment ReadEnvironment(const TickClock& clock) {
  return {.cpu = CpuName(),
          .cores = static_cast<uint32_t>(AllowedCpus().size()),
          .compiler = CompilerName(),
          .flags = BITACTOR_BENCH_FLAGS,
          .build_type = BITACTOR_BENCH_BUILD_TYPE,
          .commit = BITACTOR_BENCH_COMMIT,
          .clock = clock.ToString(),
          .date = UtcNow()};
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

ScopedPin::ScopedPin(int cpu) : before_(AllowedCpus()) { Allow({cpu}); }

ScopedPin::~ScopedPin() {
  if (!before_.empty()) Allow(before_);
}

}  // namespace bitactor::bench
