#include "bench/environment.h"

#include <ctime>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/placement.h"

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

}  // namespace bitactor::bench
