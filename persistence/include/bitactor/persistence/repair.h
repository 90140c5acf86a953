// Makes a damaged journal readable and appendable again.
#ifndef BITACTOR_PERSISTENCE_REPAIR_H_
#define BITACTOR_PERSISTENCE_REPAIR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

struct RepairOptions {
  // Not null.
  FileSystem* files = &PosixFiles();
  // Changes nothing, takes no lock, and reports what would be done.
  bool dry_run = false;
  // Of each pass over the journal; there are two or three.
  VerifyProgress progress = {};
  // As in JournalOptions.
  std::function<uint64_t()> random = {};
  std::function<uint64_t()> now_ns = {};
};

// One change.
struct RepairAction {
  std::string file = {};
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;   // that are replaced; 0: none, bytes were added
  Position position{};
  std::string what = {};         // found and done
  std::string copy = {};         // path of what was there; empty: nothing was, or a dry run
  std::string ToString() const;  // one line for people
};

struct RepairReport {
  bool dry_run = false;
  std::vector<RepairAction> actions;  // in the order they were done; empty: nothing to repair
  // Afterwards; in a dry run, as found.
  uint64_t records = 0;
  uint64_t gaps = 0;
};

// Puts gaps over what cannot be read, so that everything before and behind them stays readable, and
// recovers as Journal::Open() does, which cuts a torn tail; docs/journal_format.md says how. Where
// acknowledged records are lost the cut moves, also that of the journal's set. Whatever is changed is first copied to
// DIR/lost+found, onto the disk; nothing is deleted.
//
// Order: segment by segment. Stopped at any point, it leaves what a second repair repairs.
// Bounds: memory for the report, and 1 MiB; a dry run that meets a segment without header and with
//   the wrong length takes memory for that segment.
// Errors: kFailedPrecondition: somebody has the journal or its set open, or it is of another version.
//   kDataLoss: no header is left from which size and owner of the segments could be taken, or the
//   cut cannot be read; nothing was changed. kNotFound: no journal there. Else the file system's error; repair again when its
//   cause is gone.
absl::StatusOr<RepairReport> RepairJournal(const std::string& dir,
                                           const RepairOptions& options = {});

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_REPAIR_H_
