// What JournalOptions leave open, and what they may be.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_DEFAULTS_H_
#define BITACTOR_PERSISTENCE_JOURNAL_DEFAULTS_H_

#include <string>

#include "absl/status/status.h"
#include "bitactor/persistence/journal_options.h"
#include "system_sources.h"

namespace bitactor::internal {

// Puts the system's clock and randomness where there is none.
template <typename Options>
void SetDefaults(Options& options) {
  if (!options.random) options.random = SystemRandom;
  if (!options.now_ns) options.now_ns = SystemTime;
}
// kInvalidArgument: names the option, its value and the range.
absl::Status CheckOptions(const std::string& dir, const JournalOptions& options);
// The directory that holds this one; "." for a name alone.
std::string ParentOf(const std::string& dir);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_JOURNAL_DEFAULTS_H_
