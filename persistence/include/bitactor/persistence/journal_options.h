// What a journal can be told, and what it tells about its recovery.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_
#define BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

// What an acknowledged record survives.
enum class Durability : uint8_t {
  kProcess,  // the death of the process (kill -9), not of the machine: it is in the page cache
  kGroup,    // power loss, after a shared fdatasync. Not available: Open refuses it
  kEach,     // power loss, after an fdatasync of its own. Not available: Open refuses it
};

struct JournalOptions {
  Durability durability = Durability::kProcess;
  // Of a new journal; one that exists keeps its own. Multiple of 4096, 64 KiB to 4 GiB.
  uint64_t segment_bytes = uint64_t{64} << 20;
  // Who owns the journal, e.g. the number of a shard; kept in every segment. A journal of another
  // owner is refused.
  uint32_t owner_number = 0;
  // A helper thread makes segments and their pages ready before they are needed. Off: all of that
  // happens inside the appends, and nothing depends on time or threads (for simulation).
  bool prepare_ahead = true;
  // Not null; must outlive the journal and its histories.
  FileSystem* files = &PosixFiles();
  // Source of segment salts; empty: the system's. This and the clock are called by the appending
  // thread and, with prepare_ahead, by the helper thread as well.
  std::function<uint64_t()> random = {};
  // Nanoseconds since 1970; empty: CLOCK_REALTIME.
  std::function<uint64_t()> now_ns = {};
};

// What Open() found and did.
struct RecoveryReport {
  bool existed = false;            // there were segments before
  bool closed_clean = false;       // the last writer closed the journal (also true of a new one)
  bool machine_restarted = false;  // since the last segment was made
  uint32_t segments = 0;           // of the journal as found
  uint64_t records_scanned = 0;    // in the last segment; the sealed ones before it are not read
  Position tail{};                 // where appends go on
  uint64_t torn_bytes = 0;         // cut behind the last whole record; 0: nothing was torn
  std::string torn_copy = {};      // path of the copy of the cut bytes; empty: nothing was torn
  std::string ToString() const;    // one line for people
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_OPTIONS_H_
