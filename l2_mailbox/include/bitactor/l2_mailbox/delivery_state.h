// What a fabric needs to know of its journals before it starts.
#ifndef BITACTOR_L2_MAILBOX_DELIVERY_STATE_H_
#define BITACTOR_L2_MAILBOX_DELIVERY_STATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor::internal {

// The last record of a journal that a state knows of.
struct KnownEnd {
  Position last{};  // Begin(): of none
  uint32_t boot = 0;
  uint32_t crc32c = 0;  // of the record's frame: another one there is another journal

  friend bool operator==(const KnownEnd&, const KnownEnd&) = default;
};

// All journalled frames in short: the same whether they are noted one by one, or a beginning of each
// journal comes out of a snapshot.
struct DeliveryState {
  uint32_t last_boot = 0;
  uint32_t max_id = 0;
  uint64_t max_stamp_ns = 0;
  std::map<uint64_t, RoutingRecord> routing;  // by epoch
  std::map<uint32_t, NameRecord> names;       // by id
  absl::flat_hash_map<WatermarkKey, uint64_t> watermarks;
  std::map<uint32_t, KnownEnd> ends;  // by journal

  void Note(const RecoveredFrame& recovered);

  std::vector<std::byte> ToBytes() const;
  // kDataLoss: these are not the bytes of a state.
  static absl::StatusOr<DeliveryState> FromBytes(std::span<const std::byte> bytes);
};

struct DeliveryReport {
  DeliveryState state;
  uint64_t records_read = 0;  // of the journals
  bool from_snapshot = false;
  Position snapshot{};    // where the one that was used stands in its store
  absl::Status not_used;  // why the newest snapshot that is there was not used
};

// Reads the newest snapshot below `set_dir` that is whole and knows no record that the journals do
// not have (a power loss may take some), and what was journalled since; all of the journals when there
// is none. With `visit`, every frame is visited too, of each journal from its place in `begin` on.
// kDataLoss: damage in a journal, or its front was removed and no snapshot tells what was there, or it
// is to be visited.
absl::StatusOr<DeliveryReport> ReadDeliveryState(
    FileSystem& files, const std::string& set_dir,
    const std::function<void(const RecoveredFrame&)>& visit = {},
    const std::map<uint32_t, JournalPlace>& begin = {});

// What the snapshot below `set_dir` says, for who needs to know what records said that retention
// removed; an empty state when there is none that fits the journals.
DeliveryState ReadDeliverySnapshot(FileSystem& files, const std::string& set_dir);

// Keeps the state as it is now in a snapshot, if at least so many records are not in one yet. The
// journals may be live: what comes meanwhile is in the next one. `make_durable` is called before the
// snapshot is written, for what the journals lose a snapshot must not know; after its error none is.
// Without it, the journals of which records were removed are synced.
absl::StatusOr<DeliveryReport> SaveDeliveryState(
    FileSystem& files, const std::string& set_dir, uint64_t at_least,
    const std::function<absl::Status()>& make_durable = {});

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_DELIVERY_STATE_H_
