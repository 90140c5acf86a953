// How much the rows write or read that are about whole journals.
#ifndef BITACTOR_BENCH_JOURNAL_BYTES_H_
#define BITACTOR_BENCH_JOURNAL_BYTES_H_

#include <cstdint>
#include <cstdlib>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bitactor::bench {

inline constexpr char kJournalBytesVariable[] = "BITACTOR_BENCH_JOURNAL_BYTES";
inline constexpr uint64_t kJournalBytesUsual = uint64_t{128} << 20;

// From the environment, else the usual. kInvalidArgument: no number from 1 MiB to 1 TiB.
inline absl::StatusOr<uint64_t> JournalBytes() {
  const char* given = std::getenv(kJournalBytesVariable);
  if (given == nullptr || *given == '\0') return kJournalBytesUsual;
  constexpr uint64_t kMin = uint64_t{1} << 20, kMax = uint64_t{1} << 40;
  uint64_t bytes = 0;
  if (absl::SimpleAtoi(given, &bytes) && bytes >= kMin && bytes <= kMax) return bytes;
  return absl::InvalidArgumentError(absl::StrCat(kJournalBytesVariable, " is '", given,
                                                 "'; numbers of bytes from ", kMin, " to ", kMax,
                                                 " are possible"));
}

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_JOURNAL_BYTES_H_
