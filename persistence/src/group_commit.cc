#include "bitactor/persistence/group_commit.h"

#include <utility>

#include "committer.h"
#include "journal_defaults.h"

namespace bitactor {

GroupCommit::GroupCommit(std::unique_ptr<internal::Committer> committer)
    : committer_(std::move(committer)) {}
GroupCommit::~GroupCommit() = default;

absl::StatusOr<std::unique_ptr<GroupCommit>> GroupCommit::Open(const std::string& dir,
                                                               JournalOptions options) {
  internal::SetDefaults(options);
  options.durability = Durability::kGroup;
  if (absl::Status status = internal::CheckOptions(dir, options); !status.ok()) return status;
  if (absl::Status status = options.files->CreateDir(dir); !status.ok()) return status;
  if (absl::Status status = options.files->SyncDirectory(internal::ParentOf(dir)); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::unique_ptr<internal::Committer>> committer =
      internal::Committer::Open(dir, options, /*takes_lock=*/true);
  if (!committer.ok()) return committer.status();
  return std::unique_ptr<GroupCommit>(new GroupCommit(*std::move(committer)));
}

absl::Status GroupCommit::Commit() { return committer_->Commit(); }
absl::Status GroupCommit::failure() const { return committer_->Failure(); }
CommitCounters GroupCommit::counters() const { return committer_->counters(); }

}  // namespace bitactor
