// Digests of states, journalled as they were: a replay that comes to others has found where it differs.
#ifndef BITACTOR_L3_GENACTOR_DIGEST_RECORD_H_
#define BITACTOR_L3_GENACTOR_DIGEST_RECORD_H_

#include <cstdint>
#include <string_view>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l3_genactor/actor_cell.h"

namespace bitactor::internal {

// The digest of its target's state behind the record before it that went to this actor, which was this
// message.
struct DigestRecord {
  static constexpr std::string_view kTypeName = "bitactor::DigestRecord";

  uint64_t digest = 0;
  uint64_t message_id = 0;
  uint32_t source = 0;
  uint32_t unused = 0;
};

bool IsDigestRecord(const Frame& frame);

// An actor of a system with SystemOptions::digest_every.
class DigestedActorCell final : public ActorCell {
 public:
  using ActorCell::ActorCell;
  HandleOutcome Handle(const Frame& frame, Shard& shard) override;
};
// The state stands behind the cell, wherever that ends.
static_assert(sizeof(DigestedActorCell) == sizeof(ActorCell));

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_DIGEST_RECORD_H_
