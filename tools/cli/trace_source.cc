#include "cli/trace_source.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "bitactor/tracing_export/seal_verify.h"
#include "pipeline/span_names.h"

namespace bitactor::cli {

absl::StatusOr<SpanFile> LoadTrace(const std::string& source) {
  std::string path = source;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    path = JoinPath(path, pipeline::kSpanFileName);
    if (!std::filesystem::exists(path, error)) {
      return absl::NotFoundError(absl::StrCat(path,
                                              ": no spans here: they are saved when a run with "
                                              "--journal ends by itself; after a crash, resume the "
                                              "run to its end"));
    }
  }
  absl::StatusOr<SpanFile> sealed = LoadSealedSpans(path);
  return sealed.status().code() == absl::StatusCode::kInvalidArgument ? LoadSpans(path) : sealed;
}

}  // namespace bitactor::cli
