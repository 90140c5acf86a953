#include "bitactor/l1_core/check.h"

#include <cstdio>
#include <cstdlib>

namespace bitactor::internal {

void CheckFailed(const char* file, int line, const char* what, const std::string& values) {
  std::fprintf(stderr, "%s:%d: check failed: %s%s%s\n", file, line, what,
               values.empty() ? "" : "; the values were ", values.c_str());
  std::abort();
}

}  // namespace bitactor::internal
