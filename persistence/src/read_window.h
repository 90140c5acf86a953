// The pages of a mapping around somebody who reads it from the beginning to the end.
#ifndef BITACTOR_PERSISTENCE_READ_WINDOW_H_
#define BITACTOR_PERSISTENCE_READ_WINDOW_H_

#include <cstdint>

#include "bitactor/l1_core/file.h"

namespace bitactor::internal {

// Lets go of the pages behind, so that reading a segment of any size takes up to twice kWindowBytes
// of memory. Who jumps about keeps what it has touched. The pages ahead come by faults, 16 at a
// time: to have them made present beforehand was measured to cost more.
class ReadWindow {
 public:
  static constexpr uint64_t kWindowBytes = uint64_t{2} << 20;

  // Reading begins at `offset`: of another mapping, or after a jump.
  void Begin(uint64_t offset) {
    next_ = offset + kWindowBytes / 8;
    is_in_order_ = false;
  }

  // Reading has come to `offset`.
  void MoveTo(Mapping& mapping, uint64_t offset) {
    if (offset >= next_) [[unlikely]]
      Move(mapping, offset);
  }

 private:
  void Move(Mapping& mapping, uint64_t offset) {
    if (!is_in_order_) mapping.ExpectReadsInOrder();
    is_in_order_ = true;
    const uint64_t window = offset / kWindowBytes * kWindowBytes;
    if (window >= kWindowBytes) mapping.LetGo(window - kWindowBytes, kWindowBytes);
    next_ = window + kWindowBytes;
  }

  uint64_t next_ = 0;
  bool is_in_order_ = false;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_READ_WINDOW_H_
