// The bytes of a snapshot file. docs/snapshot_format.md is the contract.
#ifndef BITACTOR_PERSISTENCE_SNAPSHOT_FORMAT_H_
#define BITACTOR_PERSISTENCE_SNAPSHOT_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/snapshot_store.h"

namespace bitactor::internal {

inline constexpr uint64_t kSnapshotMagic = 0x0A70'616E'5341'4942;  // "BIASnap\n"
inline constexpr uint32_t kSnapshotVersion = 1;

struct SnapshotHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t reserved0;
  uint64_t key;
  uint64_t position;
  uint64_t stamp_ns;
  uint64_t state_bytes;
  uint32_t reserved1[2];
  uint32_t state_crc32c;
  uint32_t crc32c;  // over the 60 bytes before
};
static_assert(sizeof(SnapshotHeader) == 64);
static_assert(offsetof(SnapshotHeader, crc32c) == 60);

// REQUIRES: at most kMaxSnapshotBytes.
SnapshotHeader MakeSnapshotHeader(uint64_t key, Position position, uint64_t stamp_ns,
                                  std::span<const std::byte> state);

// KEY-POSITION.snap, 20 decimal digits each, so that names sort as numbers do.
std::string SnapshotName(uint64_t key, Position position);
struct SnapshotPlace {
  uint64_t key;
  Position position;
};
// Nothing for any other name.
std::optional<SnapshotPlace> ParseSnapshotName(std::string_view name);

// The snapshot in the file at `path`, which has this key and position by its name. kDataLoss: it is
// not whole, with place and values. kFailedPrecondition: of another version.
absl::StatusOr<Snapshot> ReadSnapshotFile(FileSystem& files, const std::string& path, uint64_t key,
                                          Position position);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SNAPSHOT_FORMAT_H_
