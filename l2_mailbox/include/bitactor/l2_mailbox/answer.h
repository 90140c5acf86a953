// What an outside port gets for a call.
#ifndef BITACTOR_L2_MAILBOX_ANSWER_H_
#define BITACTOR_L2_MAILBOX_ANSWER_H_

#include <cstddef>
#include <span>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/block.h"

namespace bitactor {

// Ownership: its own; a payload over 128 bytes is shared with nobody and goes with it.
struct Answer {
  Frame frame;
  SharedBlock block;  // not ok() up to 128 bytes

  std::span<const std::byte> bytes() const {
    if (block.ok()) return block.bytes();
    return {frame.payload, frame.header.size_bytes};
  }
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_ANSWER_H_
