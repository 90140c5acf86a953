// Where the snapshots of a system's actors are.
#ifndef BITACTOR_L3_GENACTOR_SNAPSHOT_DIR_H_
#define BITACTOR_L3_GENACTOR_SNAPSHOT_DIR_H_

#include <cstdint>
#include <string>

namespace bitactor::internal {

// The only key: a snapshot is of all actors. Its position there only rises: the sum of the places where
// the journals ended.
inline constexpr uint64_t kActorSnapshotKey = 0;
std::string ActorSnapshotDir(const std::string& set_dir);

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SNAPSHOT_DIR_H_
