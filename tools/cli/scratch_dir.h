// A folder for the duration of a command.
#ifndef BITACTOR_TOOLS_CLI_SCRATCH_DIR_H_
#define BITACTOR_TOOLS_CLI_SCRATCH_DIR_H_

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitactor::cli {

class ScratchDir {
 public:
  ScratchDir() = default;
  ~ScratchDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  absl::Status Create() {
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
    std::string name = (parent / "bitactor-XXXXXX").string();
    if (error || mkdtemp(name.data()) == nullptr) {
      return absl::PermissionDeniedError(absl::StrCat(
          parent.string(),
          ": no folder can be made there: ", error ? error.message() : std::strerror(errno),
          "; set TMPDIR, or name a folder with --journal"));
    }
    path_ = name;
    return absl::OkStatus();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_SCRATCH_DIR_H_
