// A set of journals whose records become durable together, in cuts.
#ifndef BITACTOR_PERSISTENCE_GROUP_COMMIT_H_
#define BITACTOR_PERSISTENCE_GROUP_COMMIT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/persistence/journal_options.h"

namespace bitactor {

namespace internal {
class Committer;
class JournalWriter;
}  // namespace internal

// What committing did so far.
struct CommitCounters {
  uint64_t commits = 0;       // cuts that were made
  uint64_t synced_bytes = 0;  // of records and seals
  uint64_t syncs = 0;         // of segment files, directories and the cut
};

// Order: a cut is a beginning of each journal, and closed under happened-before: if a record of one
//   journal is in it, what caused that record is. Needed for this: a record that was caused by
//   others has a later stamp_ns than they, and than all that its journal had before it, as a hybrid
//   logical clock gives them. No clocks are compared.
// Threads: any. The set has a thread of its own, unless prepare_ahead is off.
// Progress: a commit waits for the disk, and others for it. Appends do not, but at kEach.
// Bounds: 126 journals, each with its own owner_number.
// Ownership: outlives its journals. The directory holds `cut`, and `cut.lock` against other sets; its
//   journals have theirs inside it, where verify and repair find the cut.
// Errors: a sync that failed is never tried again: from then on appends and WaitDurable refuse. Close
//   the journals, see to the disk, open them again: what was acknowledged is there.
// Cost: a commit is an fdatasync per journal that has new records, and one of the cut.
// Design: docs/persistence.md; of the cut, docs/journal_format.md.
class GroupCommit {
 public:
  // Opens or makes the set in the directory `dir`, which is made if its parent exists. Of `options`
  // count files, now_ns, prepare_ahead, group_records and group_delay_us. Then open each journal with
  // JournalOptions::group. Nothing is acknowledged before all journals that the cut names are open.
  // kFailedPrecondition: in use. kDataLoss: the cut is damaged.
  static absl::StatusOr<std::unique_ptr<GroupCommit>> Open(const std::string& dir,
                                                           JournalOptions options = {});
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Makes a cut now, if there is anything new. The error that stopped the set stays the answer.
  absl::Status Commit();
  // What ended the set, or OK. Does not wait for the disk.
  absl::Status failure() const;
  CommitCounters counters() const;

 private:
  friend class internal::JournalWriter;
  explicit GroupCommit(std::unique_ptr<internal::Committer> committer);

  const std::unique_ptr<internal::Committer> committer_;
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_GROUP_COMMIT_H_
