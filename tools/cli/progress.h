// Progress on a terminal: one line on standard error that is written over.
#ifndef BITACTOR_TOOLS_CLI_PROGRESS_H_
#define BITACTOR_TOOLS_CLI_PROGRESS_H_

#include <cstdint>
#include <string>

#include "cli/commands.h"

namespace bitactor::cli {

// "[#####...............]  25 %  256.0 of 1024.0 MiB  512.0 MiB/s  2 s left". More done than there
// was to do (a live journal grows) counts as all; nothing to do shows what is done alone.
std::string ProgressText(uint64_t done_bytes, uint64_t total_bytes, uint64_t elapsed_ns);

// Shows it at most ten times a second.
class ByteProgress {
 public:
  explicit ByteProgress(std::string label);
  void Update(uint64_t done_bytes, uint64_t total_bytes);

 private:
  const std::string label_;
  const uint64_t start_ns_;
  uint64_t shown_ns_;
  ProgressLine line_;
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_PROGRESS_H_
