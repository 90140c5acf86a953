// What the runtime itself writes into journals, beside the messages.
#ifndef BITACTOR_L2_MAILBOX_SYSTEM_RECORDS_H_
#define BITACTOR_L2_MAILBOX_SYSTEM_RECORDS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "bitactor/l1_core/frame.h"

namespace bitactor::internal {

// A start of the fabric: the first record that it appends to each journal. Frames after it belong
// to this boot.
struct BootRecord {
  static constexpr std::string_view kTypeName = "bitactor::BootRecord";

  uint32_t boot = 0;  // 1, 2, ... ; the incarnation of this boot's ports
  uint32_t shards = 0;
  uint32_t mailboxes = 0;
  uint32_t shard = 0;
};

// A mailbox joined or left: from here on this journal's messages were routed by the table of this
// epoch. Each shard journals it; the messages of a slot that moved are in one journal before it and
// in another behind it. Who takes slots journals it again when it begins to serve them, with a stamp
// above all of theirs in the other journal.
struct RoutingRecord {
  static constexpr std::string_view kTypeName = "bitactor::RoutingRecord";

  uint64_t epoch = 0;  // 1, 2, ... over all starts
  uint32_t mailbox = 0;
  uint32_t weight = 0;  // 0: it left
};

// Payload of the answer to a frame with kFlagAcknowledge: where it is journalled. Never journalled
// itself.
struct Acknowledgement {
  static constexpr std::string_view kTypeName = "bitactor::Acknowledgement";

  uint64_t position = 0;
  uint32_t shard = 0;
  uint32_t reserved = 0;
};

// A name got an id, for good.
struct NameRecord {
  static constexpr std::string_view kTypeName = "bitactor::NameRecord";
  static constexpr size_t kMaxNameBytes = 116;

  uint32_t id = 0;
  uint32_t class_type = 0;  // type id of what serves it, 0 = unsaid
  uint32_t size_bytes = 0;
  char name[kMaxNameBytes] = {};

  static NameRecord Of(uint32_t id, uint32_t class_type, std::string_view name) {
    NameRecord record;
    record.id = id;
    record.class_type = class_type;
    record.size_bytes = static_cast<uint32_t>(std::min(name.size(), kMaxNameBytes));
    std::memcpy(record.name, name.data(), record.size_bytes);
    return record;
  }
  std::string_view name_view() const { return {name, std::min<size_t>(size_bytes, kMaxNameBytes)}; }
};
static_assert(sizeof(NameRecord) == kMaxPayloadBytes);

// What was done after an actor failed or ended.
enum class CrashAction : uint32_t {
  kRestored = 1,  // it has the state from before the message, which is passed over
  kFresh = 2,     // it was started again with a fresh state
  kStopped = 3,   // it was not started again
};

// An actor (the record's target) failed at a message or ended; it goes on with this sequence.
struct CrashRecord {
  static constexpr std::string_view kTypeName = "bitactor::CrashRecord";

  uint32_t source =
      0;  // of the message that it failed at; with message_id 0 it ended by itself or was told to
  CrashAction action = CrashAction::kRestored;
  uint64_t message_id = 0;
  uint64_t next_sequence = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_SYSTEM_RECORDS_H_
