// The end of a journal, and what is appended to it from there on.
#ifndef BITACTOR_TOOLS_CLI_JOURNAL_TAIL_H_
#define BITACTOR_TOOLS_CLI_JOURNAL_TAIL_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "cli/journal_merge.h"

namespace bitactor::cli {

struct TailOptions {
  uint64_t last = 10;  // records to begin with
  bool follow = false;
  std::optional<uint64_t> follow_ns = {};  // how long; nullopt: until told to stop
  std::optional<uint64_t> count = {};      // end after this many, the first ones included
};

// The world around a follower.
struct TailPorts {
  std::function<absl::Status(const PlacedRecord&)> print;
  std::function<absl::Status()> flush;         // all that is there now was printed
  std::function<uint64_t()> now_ns;            // any clock that does not go back
  std::function<bool(uint64_t wait_ns)> wait;  // false: end now
};

// OK at the end of what was asked for; damage once everything before it was printed; an error of
// printing at once.
absl::Status Tail(JournalMerge& journals, const TailOptions& options, const TailPorts& ports);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_JOURNAL_TAIL_H_
