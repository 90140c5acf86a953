// What the journals of a system say about each actor.
#ifndef BITACTOR_L3_GENACTOR_RECOVERY_H_
#define BITACTOR_L3_GENACTOR_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor {

namespace internal {

// Where an actor's frames are: by boot, then by position, which is the order in which it handled
// them, for it lives on one shard per boot.
struct FrameRef {
  uint32_t boot;
  uint32_t journal;
  Position position;
};

struct ActorHistory {
  std::vector<FrameRef> frames;
  absl::flat_hash_map<MessageKey, uint64_t> crashes;
};

// Threads: built on one, then read by all; Read() by one at a time.
class Recovery {
 public:
  void Note(const RecoveredFrame& recovered);
  // Brings every history into order. After the last Note().
  void Finish();

  // Null when the journals know nothing of it.
  ActorHistory* HistoryOf(ActorId id);

  // Frames by reference, from journals below `set_dir`.
  class Reader {
   public:
    Reader(FileSystem* files, std::string set_dir) : files_(files), set_dir_(std::move(set_dir)) {}
    // Valid until the next Read().
    absl::StatusOr<const Record*> Read(const FrameRef& ref);

   private:
    FileSystem* files_;
    std::string set_dir_;
    absl::flat_hash_map<uint32_t, std::unique_ptr<History>> histories_;
  };

 private:
  absl::flat_hash_map<uint32_t, std::unique_ptr<ActorHistory>> histories_;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_RECOVERY_H_
