// What repair changes, and that it keeps what was there.
#ifndef BITACTOR_PERSISTENCE_REPAIR_LOG_H_
#define BITACTOR_PERSISTENCE_REPAIR_LOG_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "bitactor/persistence/repair.h"
#include "lost_and_found.h"
#include "segment_store.h"

namespace bitactor::internal {

// `dir` and `options` must outlive it.
class RepairLog {
 public:
  RepairLog(const std::string& journal_dir, const RepairOptions& repair_options)
      : dir(journal_dir), options(repair_options), files(*repair_options.files) {
    report.dry_run = repair_options.dry_run;
  }

  // Notes the action, and unless that is all, keeps what it replaces in `file` and does it.
  template <typename Do>
  absl::Status Change(const File& file, RepairAction action, const Do& change) {
    if (!options.dry_run && action.bytes > 0) {
      absl::StatusOr<std::string> copy =
          KeepCopy(files, dir, file, action.offset, action.bytes, action.position.value(), "lost");
      if (!copy.ok()) return copy.status();
      action.copy = *copy;
    }
    return Add(std::move(action), change);
  }
  // The same where nothing was.
  template <typename Do>
  absl::Status Add(RepairAction action, const Do& change) {
    report.actions.push_back(std::move(action));
    return options.dry_run ? absl::OkStatus() : change();
  }

  // Makes segments for a journal of which some segment has this header.
  SegmentMaker MakerOf(const SegmentHeader& known) const {
    return {.files = &files,
            .dir = dir,
            .segment_bytes = known.segment_bytes,
            .owner_number = known.owner_number,
            .random = options.random,
            .now_ns = options.now_ns};
  }

  const std::string& dir;
  const RepairOptions& options;
  FileSystem& files;
  RepairReport report;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_REPAIR_LOG_H_
