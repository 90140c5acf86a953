// Which cut tells what of a journal was acknowledged.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_CUT_H_
#define BITACTOR_PERSISTENCE_JOURNAL_CUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "cut_file.h"

namespace bitactor::internal {

// The journal's own, or that of its set, which is in the directory above the journal's.
struct JournalCut {
  std::string dir = {};  // that has the file `cut`
  bool of_set = false;
  std::optional<CutEntry> entry = {};  // none: nothing was ever acknowledged

  uint64_t acknowledged() const { return entry.has_value() ? entry->tail : 0; }
};

// kDataLoss: neither slot is whole, or the journal belongs to a set whose cut does not name it.
// kFailedPrecondition: another version. A writer may be at work.
absl::StatusOr<JournalCut> FindJournalCut(FileSystem& files, const std::string& dir,
                                          uint32_t owner_number);

// After gaps were put over what was damaged: the end of the slot that holds what is before
// `acknowledged`, for a gap may reach over it; the journal's tail if that is before it.
absl::StatusOr<uint64_t> ReadableEnd(FileSystem& files, const std::string& dir,
                                     const std::vector<uint32_t>& segments, uint64_t acknowledged);

// Writes into both slots that all before `tail` is durable, and what the cut has of other journals
// stays. REQUIRES: that is so, the cut names the journal, and the caller has its lock, of a set too.
absl::Status MoveJournalCut(FileSystem& files, const JournalCut& cut, uint64_t tail,
                            uint64_t now_ns);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_JOURNAL_CUT_H_
