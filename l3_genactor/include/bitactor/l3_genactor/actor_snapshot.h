// What a snapshot keeps of each actor of a system.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_SNAPSHOT_H_
#define BITACTOR_L3_GENACTOR_ACTOR_SNAPSHOT_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/persistence/position.h"

namespace bitactor::internal {

// Where an actor's frames are: by boot, then by position, which is the order in which it handled
// them, for it lives on one shard per boot.
struct FrameRef {
  uint32_t boot;
  uint32_t journal;
  Position position;

  friend auto operator<=>(const FrameRef&, const FrameRef&) = default;
};

// A message that was sent and not taken yet when the snapshot was made.
struct OutboxFrame {
  FrameHeader header;
  std::vector<std::byte> payload;  // of a block: the block's bytes
};

// One actor as its messages before `at` made it.
struct ActorSnapshot {
  uint32_t id = 0;
  uint32_t class_type = 0;
  uint64_t layout = 0;  // of `state`, see LayoutOf()
  FrameRef at{};
  uint64_t stamp_ns = 0;  // when it was made
  uint64_t context_stamp_ns = 0;
  uint64_t sequence = 0;
  uint64_t digest = 0;  // of the state
  bool ended = false;   // it had ended: there is no state, but its messages go on with the sequence
  std::vector<std::byte> context;  // what the runtime keeps for it: ActorCell::SaveContext()
  std::vector<std::byte> state;
  std::vector<OutboxFrame> outbox;  // by sequence
};
using ActorSnapshots = std::map<uint32_t, std::shared_ptr<const ActorSnapshot>>;  // by id

// Journalled when the snapshot's states of a shard are taken: the journal at its place tells that it
// is the one which the snapshot knows.
struct SnapshotMark {
  static constexpr std::string_view kTypeName = "bitactor::SnapshotMark";

  uint64_t number = 0;
  uint32_t boot = 0;
  uint32_t shard = 0;
};

// All actors of a system.
struct SystemSnapshot {
  uint64_t number = 0;                         // 1, 2, ... over all starts
  std::map<uint32_t, FrameRef> marks;          // by journal: where its SnapshotMark is
  std::map<uint32_t, JournalPlace> need_from;  // by journal: what is before it, nobody needs
  std::vector<NameRecord> names;
  ActorSnapshots actors;

  std::vector<std::byte> ToBytes() const;
  // kDataLoss: these are not the bytes of one, or of another version.
  static absl::StatusOr<SystemSnapshot> FromBytes(std::span<const std::byte> bytes);
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_ACTOR_SNAPSHOT_H_
