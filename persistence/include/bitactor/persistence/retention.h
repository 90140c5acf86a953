// How much of its past a journal keeps.
#ifndef BITACTOR_PERSISTENCE_RETENTION_H_
#define BITACTOR_PERSISTENCE_RETENTION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

// What may go. Of the first three, one that asks for it is enough; by default none does.
struct RetentionOptions {
  uint64_t max_bytes = ~uint64_t{0};    // of all segments together, the current one included
  uint64_t max_age_ns = ~uint64_t{0};   // since the stamp of the last record of a segment
  Position before = Position::Begin();  // records before this position
  // Records from here on stay, whatever the others say: e.g. the position of the oldest snapshot
  // that may be needed.
  Position keep_from = Position::None();
};

struct RetentionReport {
  uint32_t segments = 0;  // removed now
  uint64_t records = 0;   // that were in them
  uint64_t bytes = 0;     // that they took
  // Asked for, but kept: they hold records from keep_from on, or the beginning of a long record
  // that ends in a segment that stays.
  uint32_t segments_held = 0;
  Position first{};  // what is available begins here
};

// Brings the segments of a journal to the disk as they are, at any level, also while it is written:
// for who removes elsewhere what depends on this journal. At level group and each that does not
// acknowledge anything.
absl::Status SyncSegments(const std::string& dir, FileSystem& files = PosixFiles());

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_RETENTION_H_
