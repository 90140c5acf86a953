// Where a command writes what it found: standard output, or a file that appears when it is whole.
#ifndef BITACTOR_TOOLS_CLI_OUTPUT_H_
#define BITACTOR_TOOLS_CLI_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"

namespace bitactor::cli {

// Threads: one.
// Errors: kCancelled: whoever read standard output has gone, which is no fault; else with the name
//   of the place and the system's words. After an error only the destructor may follow.
class Output {
 public:
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Collects; writes when there is enough of it.
  absl::Status Write(std::string_view text);
  // Writes what was collected.
  absl::Status Flush();
  // The output is whole: a file gets its name. Without it, nothing is left of a file.
  virtual absl::Status Finish() = 0;

 protected:
  Output() = default;

 private:
  virtual absl::Status WriteThrough(std::string_view text) = 0;

  std::string collected_;
};

// From here on SIGPIPE is ignored: a reader that has gone is an error of the next write.
std::unique_ptr<Output> StandardOutput();

// Written as PATH.partial, synced, then renamed to PATH, which is replaced if it exists.
absl::StatusOr<std::unique_ptr<Output>> FileOutput(FileSystem& files, const std::string& path);

// While one exists, SIGINT (Ctrl-C) and SIGTERM ask to stop instead of ending the program.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  bool stopped() const;
  // Waits at most this long; false: asked to stop, or whoever read standard output has gone.
  bool Wait(uint64_t wait_ns) const;

 private:
  class Handlers;
  std::unique_ptr<Handlers> before_;
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_OUTPUT_H_
