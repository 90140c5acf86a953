// What commands tell on standard error.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "cli/commands.h"

namespace bitactor::cli {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "bitactor: %s\n", std::string(status.message()).c_str());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return kExitWrongUse;
    default:
      return kExitFoundProblem;
  }
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}
ProgressLine::~ProgressLine() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}
void ProgressLine::Show(const std::string& text) {
  if (!terminal_) return;
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
}

}  // namespace bitactor::cli
