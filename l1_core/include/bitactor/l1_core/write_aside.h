// Replaces a whole file in one step that no crash can tear.
#ifndef BITACTOR_L1_CORE_WRITE_ASIDE_H_
#define BITACTOR_L1_CORE_WRITE_ASIDE_H_

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"

namespace bitactor::internal {

// Writes the parts, one after the other, to DIR/`aside`, syncs, and renames that to DIR/`name`.
// After an error DIR/`name` is what it was. Its caller makes the name durable with SyncDirectory().
absl::Status WriteAside(FileSystem& files, const std::string& dir, const std::string& aside,
                        const std::string& name,
                        std::initializer_list<std::span<const std::byte>> parts);

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_WRITE_ASIDE_H_
