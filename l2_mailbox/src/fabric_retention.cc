// What a fabric keeps of its journals' past, and what it may remove.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/delivery_state.h"
#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {

absl::StatusOr<internal::DeliveryState> Fabric::SaveDeliveryState() {
  MutexLock routing(&routing_mutex_);
  return SaveDeliveryStateLocked();
}

absl::StatusOr<internal::DeliveryState> Fabric::SaveDeliveryStateLocked() {
  if (options_.journal_dir.empty() || stopped()) {
    return absl::FailedPreconditionError(
        absl::StrCat("there are no records to keep or to remove: the fabric ",
                     stopped() ? "has stopped" : "has no journals (FabricOptions::journal_dir)"));
  }
  // What the snapshot knows of outlives what is removed, and a power loss takes none of it.
  const auto make_durable = [this] {
    absl::Status status;
    if (group_ != nullptr) {
      for (uint32_t i = 0; i < state_.shards; ++i) status.Update(WaitDurable(i));
      return status;
    }
    // Also those of shards that earlier starts had.
    FileSystem& files = *options_.journal.files;
    absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files, options_.journal_dir);
    if (!shards.ok()) return shards.status();
    for (const uint32_t shard : *shards) {
      status.Update(SyncSegments(ShardJournalDir(options_.journal_dir, shard), files));
    }
    return status;
  };
  absl::StatusOr<internal::DeliveryReport> saved = internal::SaveDeliveryState(
      *options_.journal.files, options_.journal_dir, /*at_least=*/1, make_durable);
  if (!saved.ok()) return saved.status();
  return std::move(saved->state);
}

absl::StatusOr<std::vector<RetentionReport>> Fabric::Retain(
    const RetentionOptions& options, const std::map<uint32_t, Position>& keep_from) {
  MutexLock routing(&routing_mutex_);
  if (options_.on_recovered && keep_from.empty()) {
    return absl::FailedPreconditionError(
        "no record may be removed: this fabric's owner reads them at the start "
        "(FabricOptions::on_recovered) and has not said which it needs; of a System, "
        "System::Retain() does");
  }
  absl::StatusOr<internal::DeliveryState> saved = SaveDeliveryStateLocked();
  if (!saved.ok()) return saved.status();
  std::vector<RetentionReport> reports;
  for (auto& shard : shards_) {
    RetentionOptions of_shard = options;
    of_shard.keep_from = std::min(options.keep_from, saved->ends[shard->index()].last);
    if (const auto kept = keep_from.find(shard->index()); kept != keep_from.end()) {
      of_shard.keep_from = std::min(of_shard.keep_from, kept->second);
    }
    absl::StatusOr<RetentionReport> report = shard->journal()->Retain(of_shard);
    if (!report.ok()) return report.status();
    reports.push_back(*report);
  }
  return reports;
}

}  // namespace bitactor
