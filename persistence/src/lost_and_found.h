// Keeps copies of bytes that are about to be changed.
#ifndef BITACTOR_PERSISTENCE_LOST_AND_FOUND_H_
#define BITACTOR_PERSISTENCE_LOST_AND_FOUND_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"

namespace bitactor::internal {

// Copies a range of `file` to DIR/lost+found/position-POSITION-N.SUFFIX, N being the first that is
// free, and returns that path once all of it is on the disk. What is behind the end of the file is
// left out.
absl::StatusOr<std::string> KeepCopy(FileSystem& files, const std::string& dir, const File& file,
                                     uint64_t offset, uint64_t size_bytes, uint64_t position,
                                     const char* suffix);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_LOST_AND_FOUND_H_
