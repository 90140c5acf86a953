#include "bitactor/l2_mailbox/replay.h"

#include <utility>

#include "journal_set_merge.h"

namespace bitactor {

FabricReplay::FabricReplay(std::unique_ptr<internal::JournalSetMerge> merge)
    : merge_(std::move(merge)) {}
FabricReplay::~FabricReplay() = default;
FabricReplay::FabricReplay(FabricReplay&&) noexcept = default;
FabricReplay& FabricReplay::operator=(FabricReplay&&) noexcept = default;

absl::StatusOr<FabricReplay> FabricReplay::Open(const std::string& set_dir,
                                                FabricReplayOptions options, FileSystem& files) {
  absl::StatusOr<std::unique_ptr<internal::JournalSetMerge>> merge =
      internal::JournalSetMerge::Open(set_dir, std::move(options), files);
  if (!merge.ok()) return merge.status();
  return FabricReplay(*std::move(merge));
}

const ReplayedMessage* FabricReplay::Next() {
  given_ = merge_->Next();
  return given_.has_value() ? &*given_ : nullptr;
}

absl::Status FabricReplay::status() const { return merge_->status(); }
uint64_t FabricReplay::gaps_skipped() const { return merge_->gaps_skipped(); }
std::string_view FabricReplay::NameOf(ActorId id) const { return merge_->NameOf(id); }

}  // namespace bitactor
