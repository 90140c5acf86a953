// What is known of an actor's past: what its state is built from again.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_HISTORY_H_
#define BITACTOR_L3_GENACTOR_ACTOR_HISTORY_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bitactor/l3_genactor/actor_snapshot.h"

namespace bitactor::internal {

// A message that crashed its actor, in a journal: replay passes over it.
struct MessageKey {
  uint32_t source;
  uint64_t message_id;

  friend bool operator==(const MessageKey&, const MessageKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const MessageKey& k) {
    return H::combine(std::move(h), k.source, k.message_id);
  }
};

// Threads: its actor's shard's, once the system runs.
struct ActorHistory {
  // Where it begins; null: at Init.
  std::shared_ptr<const ActorSnapshot> base;
  std::vector<FrameRef> frames;  // of earlier starts, behind the base
  // The messages it crashed at, with the sequence to go on with.
  absl::flat_hash_map<MessageKey, uint64_t> crashes;
  uint64_t since_digest = 0;  // messages since the last DigestRecord

  // It handled nothing in earlier starts.
  bool empty() const { return base == nullptr && frames.empty(); }
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_ACTOR_HISTORY_H_
