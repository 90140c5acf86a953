// The pages of a mapping around somebody who reads it from the beginning to the end.
#ifndef BITACTOR_PERSISTENCE_READ_WINDOW_H_
#define BITACTOR_PERSISTENCE_READ_WINDOW_H_

#include <cstdint>

#include "bitactor/l1_core/file.h"

namespace bitactor::internal {

// Has the pages ahead fetched in one system call instead of a fault for every few, and lets go of
// those behind, so that reading a segment of any size takes up to 3 * kWindowBytes of memory. Who
// jumps about gets no pages ahead.
class ReadWindow {
 public:
  static constexpr uint64_t kWindowBytes = uint64_t{2} << 20;

  // Reading begins at `offset`: of another mapping, or after a jump.
  void Begin(uint64_t offset) { next_ = offset + kWindowBytes / 8; }

  // Reading has come to `offset`.
  void MoveTo(Mapping& mapping, uint64_t offset) {
    if (offset >= next_) [[unlikely]]
      Move(mapping, offset);
  }

 private:
  void Move(Mapping& mapping, uint64_t offset) {
    const uint64_t window = offset / kWindowBytes * kWindowBytes;
    mapping.FetchForReading(offset, window + 2 * kWindowBytes - offset);
    if (window >= kWindowBytes) mapping.LetGo(window - kWindowBytes, kWindowBytes);
    next_ = window + kWindowBytes;
  }

  uint64_t next_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_READ_WINDOW_H_
