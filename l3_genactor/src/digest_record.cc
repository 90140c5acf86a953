#include "bitactor/l3_genactor/digest_record.h"

#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l3_genactor/actor_history.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {

bool IsDigestRecord(const Frame& frame) {
  return frame.header.kind == FrameKind::kSystem && frame.header.type == TypeId<DigestRecord>();
}

HandleOutcome DigestedActorCell::Handle(const Frame& frame, Shard& shard) {
  const HandleOutcome outcome = ActorCell::Handle(frame, shard);
  if (removed || !has_state()) return outcome;
  ActorHistory& history = MakeHistory();
  if (++history.since_digest < runtime().system().digest_every()) return outcome;
  history.since_digest = 0;
  DigestRecord record;
  record.digest = StateDigest();
  record.message_id = frame.header.message_id;
  record.source = frame.header.source;
  // Without space for it there is none for the next message either, and that is told.
  shard.JournalSystemRecord(TypeId<DigestRecord>(), static_cast<uint32_t>(id()), &record,
                            sizeof(record));
  return outcome;
}

}  // namespace bitactor::internal
