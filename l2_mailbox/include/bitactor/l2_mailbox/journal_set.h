// The journals of one fabric: a directory with one journal per shard.
#ifndef BITACTOR_L2_MAILBOX_JOURNAL_SET_H_
#define BITACTOR_L2_MAILBOX_JOURNAL_SET_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

// A frame found in a journal of a set.
struct RecoveredFrame {
  uint32_t journal;   // the shard whose journal it is
  uint32_t boot;      // the start of the fabric that wrote it, 1 is the first
  Position position;  // in that journal
  const Frame& frame;
  std::span<const std::byte> bytes = {};  // the payload, whole; of a block, the frame has none
};

// Where reading begins in a journal of a set, and the start of the fabric that wrote there.
struct JournalPlace {
  Position position{};
  uint32_t boot = 0;
};

// "DIR/shard-00".
std::string ShardJournalDir(const std::string& set_dir, uint32_t shard);

// The shards that have a journal in the set, ascending. An error when the directory cannot be read.
absl::StatusOr<std::vector<uint32_t>> ListShardJournals(FileSystem& files,
                                                        const std::string& set_dir);

// Visits every frame, journal by journal, each in order; read-only, live journals too. The visitor
// returns false to go on with the next journal. Ends with an error at damage (after visiting what
// is before it); a set without journals is an error as well.
absl::Status ScanJournals(FileSystem& files, const std::string& set_dir,
                          const std::function<bool(const RecoveredFrame&)>& visit);

namespace internal {
// Why a folder is no set of journals.
absl::Status NoJournalsError(const std::string& set_dir);

// One journal of a set from a record on, in the given start of the fabric.
absl::Status ScanJournal(const JournalReader& reader, uint32_t shard, Position from, uint32_t boot,
                         const std::function<bool(const RecoveredFrame&)>& visit);
}  // namespace internal

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_JOURNAL_SET_H_
