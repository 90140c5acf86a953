// The file `retired`: how far the front of a journal was removed on purpose.
#ifndef BITACTOR_PERSISTENCE_RETIRED_H_
#define BITACTOR_PERSISTENCE_RETIRED_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "segment_store.h"

namespace bitactor::internal {

inline constexpr char kRetiredName[] = "retired";
inline constexpr char kRetiredAsideName[] = "retired.tmp";

// All zero when nothing was retired.
struct Retired {
  uint32_t first_segment = 0;  // that stays; those before it are gone, or are about to go
  uint64_t records = 0;        // in all that was retired
  uint64_t bytes = 0;
  Seal last{};  // what the next segment goes on from; its `records` and positions do not count
};

// kDataLoss: it is damaged. kFailedPrecondition: of another version.
absl::StatusOr<Retired> ReadRetired(FileSystem& files, const std::string& dir);
// Replaces it; when this returns OK it is on the disk, and the segments may go.
absl::Status WriteRetired(FileSystem& files, const std::string& dir, const Retired& retired);
// Removes the segments before the first one, front first, and what an unfinished WriteRetired()
// left. Only for who holds the journal's lock.
absl::Status RemoveRetired(FileSystem& files, const std::string& dir, const Retired& retired);

// Whether the segment was retired, as far as can be told.
bool IsRetired(FileSystem& files, const std::string& dir, uint32_t index);
// What the first segment goes on from.
absl::StatusOr<Seal> RetiredSeal(FileSystem& files, const std::string& dir);
// kOutOfRange, naming the first available position, when that one was retired.
absl::Status CheckAvailable(FileSystem& files, const std::string& dir, uint64_t position,
                            uint64_t segment_units);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_RETIRED_H_
