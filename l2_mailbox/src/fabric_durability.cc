// A fabric at levels group and each: its journals commit together, and answers wait for that.
#include <algorithm>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {

absl::Status Fabric::OpenGroup() {
  JournalOptions group_options = options_.journal;
  group_options.prepare_ahead = options_.threads;  // no thread commits behind a fabric without any
  group_options.on_commit = [this](const absl::Status& status) { NoteCommit(status); };
  absl::StatusOr<std::unique_ptr<GroupCommit>> group =
      GroupCommit::Open(options_.journal_dir, std::move(group_options));
  if (!group.ok()) return group.status();
  group_ = *std::move(group);
  return absl::OkStatus();
}

absl::Status Fabric::OpenAndCloseOthers(const JournalOptions& options) {
  absl::StatusOr<std::vector<uint32_t>> shards =
      ListShardJournals(*options.files, options_.journal_dir);
  if (!shards.ok()) return shards.status();
  std::vector<Journal> others;
  for (const uint32_t shard : *shards) {
    if (shard < options_.shards) continue;
    JournalOptions other_options = options;
    other_options.owner_number = shard;
    absl::StatusOr<Journal> journal =
        Journal::Open(ShardJournalDir(options_.journal_dir, shard), other_options);
    if (!journal.ok()) return journal.status();
    others.push_back(*std::move(journal));
  }
  // Not before all are open: until then nothing can be committed, and closing does that.
  for (Journal& journal : others) {
    if (absl::Status status = journal.Close(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// On the thread that committed, a shard's among them at level each.
void Fabric::NoteCommit(const absl::Status& status) {
  if (!status.ok()) {
    // Relaxed: see FabricState.
    state_.commit_failed.store(true, std::memory_order_relaxed);
    for (auto& full : state_.journal_full) full.store(true, std::memory_order_relaxed);
  }
  for (uint32_t i = 0; i < state_.shards; ++i) {
    Engine& engine = *state_.engines[i];
    // Relaxed: see FabricState.
    if (engine.parked() && state_.holds_answers[i].load(std::memory_order_relaxed)) engine.Wake();
  }
}

absl::Status Fabric::Commit() { return group_ != nullptr ? group_->Commit() : absl::OkStatus(); }

absl::Status Fabric::WaitDurable(uint32_t shard) {
  if (group_ == nullptr) return absl::OkStatus();
  const Journal& journal = *shards_[shard]->journal();
  return journal.WaitDurable(Position(journal.tail().value() - 1));
}

size_t Fabric::CommitForAnswers() {
  if (group_ == nullptr) return 0;
  // Relaxed: written by this thread, which drives the shards.
  const bool any =
      std::any_of(state_.holds_answers.begin(), state_.holds_answers.end(),
                  [](const auto& holds) { return holds.load(std::memory_order_relaxed); });
  if (!any) return 0;
  Commit().IgnoreError();  // kept by the set, and told by Health() and to those who wait
  return 1;
}

// REQUIRES: no shard runs, so that one cut takes all.
absl::Status Fabric::CommitForTheLastTime() {
  absl::Status status = Commit();
  if (group_ == nullptr) return status;
  for (auto& shard : shards_) {
    // A start that failed may have opened no journal there.
    if (shard->journal() == nullptr) continue;
    while (shard->ServeHeldAnswers() > 0) {
      if (shard->port().congested()) shard->port().FlushOverflow();
    }
  }
  return status;
}

}  // namespace bitactor
