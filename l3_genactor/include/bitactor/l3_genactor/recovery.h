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
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l3_genactor/actor_history.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor {

namespace internal {

// Threads: built on one, then read by all; Read() by one at a time.
class Recovery {
 public:
  // The histories of these begin there: what is before is not noted. Before the first Note().
  void BeginWith(const ActorSnapshots& actors);
  void Note(const RecoveredFrame& recovered);
  // Brings every history into order. After the last Note().
  void Finish();

  // Null when the journals know nothing of it.
  ActorHistory* HistoryOf(ActorId id);

  // Those of all ids that the journals or the snapshots know.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& [id, history] : histories_) visit(ActorId{id}, *history);
  }

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
