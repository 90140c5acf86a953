// What a journal can be told, and what it tells about its recovery.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_
#define BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

class GroupCommit;

// What an acknowledged record survives; docs/persistence.md has the whole table. Values are stored
// in journals.
enum class Durability : uint8_t {
  kProcess = 0,  // the death of the process (kill -9), not of the machine: it is in the page cache
  kGroup = 1,    // power loss, once a shared fdatasync acknowledged it: see WaitDurable
  kEach = 2,     // power loss, as soon as the append returns: each has an fdatasync of its own
};
const char* DurabilityName(Durability durability);  // "process", "group", "each"
// kInvalidArgument: none of these names.
absl::StatusOr<Durability> ParseDurability(std::string_view name);

struct JournalOptions {
  Durability durability = Durability::kProcess;
  // Of a new journal; one that exists keeps its own. Multiple of 4096, 64 KiB to 4 GiB.
  uint64_t segment_bytes = uint64_t{64} << 20;
  // At kGroup a commit begins when so many records wait for it, or so long after the one before;
  // and at once for whoever waits in WaitDurable. Both from 1.
  uint32_t group_records = 4096;
  uint32_t group_delay_us = 1000;
  // The set of journals that commit together, which outlives the journal; null: this one has its
  // commits for itself. Of no meaning at kProcess.
  GroupCommit* group = nullptr;
  // Who owns the journal, e.g. the number of a shard; kept in every segment. A journal of another
  // owner is refused.
  uint32_t owner_number = 0;
  // Helper threads make segments and their pages ready before they are needed, and commit. Off: all
  // of that happens inside the appends and WaitDurable, and nothing depends on time or threads (for
  // simulation).
  bool prepare_ahead = true;
  // Not null; must outlive the journal and its histories.
  FileSystem* files = &PosixFiles();
  // Source of segment salts; empty: the system's. This and the clock are called by the appending
  // thread and, with prepare_ahead, by the helper thread as well.
  std::function<uint64_t()> random = {};
  // Nanoseconds since 1970; empty: CLOCK_REALTIME.
  std::function<uint64_t()> now_ns = {};
  // Called after each commit with its result, by the thread that made it; of a set, with what
  // GroupCommit::Open() was given. Must not wait, nor ask for a commit.
  std::function<void(const absl::Status&)> on_commit = {};
};

// What Open() found and did.
struct RecoveryReport {
  bool existed = false;            // there were segments before
  bool closed_clean = false;       // the last writer closed the journal (also true of a new one)
  bool machine_restarted = false;  // since the last segment was made
  uint32_t segments = 0;           // of the journal as found
  uint64_t records_scanned = 0;    // in the last segment; the sealed ones before it are not read
  Position tail{};                 // where appends go on
  Position acknowledged{};         // what was before it was durable; Begin(): no cut was ever made
  uint64_t torn_bytes = 0;         // cut behind the tail; 0: nothing was
  std::string torn_copy = {};      // path of the copy of the bytes cut from the last segment
  uint32_t lost_segments = 0;      // behind it, moved to lost+found; their bytes are in torn_bytes
  uint64_t dropped_records = 0;    // whole ones among what was cut, after a restart of the machine
  std::string ToString() const;    // one line for people
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_
