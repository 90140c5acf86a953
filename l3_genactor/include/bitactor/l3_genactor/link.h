// Two actors that end together.
#ifndef BITACTOR_L3_GENACTOR_LINK_H_
#define BITACTOR_L3_GENACTOR_LINK_H_

#include <cstdint>
#include <string_view>

#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"

namespace bitactor {

// What an actor that traps exits gets when one that it is linked to ends or crashes (a restarted one
// too), when it links to nobody (kNotFound), or when somebody sends it with SendExit(). One that
// does not trap them ends with the same reason instead, unless that is normal.
struct Exit {
  static constexpr std::string_view kTypeName = "bitactor::Exit";

  Address from;
  ExitReason reason;
};
static_assert(sizeof(Exit) <= 128);

namespace internal {

// Answered by nothing; its message id names the link.
struct LinkRequest {
  static constexpr std::string_view kTypeName = "bitactor::LinkRequest";
  uint64_t unused = 0;
};

struct UnlinkRequest {
  static constexpr std::string_view kTypeName = "bitactor::UnlinkRequest";
  uint64_t unused = 0;
};

// Ends the monitor that its correlation id names.
struct DemonitorRequest {
  static constexpr std::string_view kTypeName = "bitactor::DemonitorRequest";
  uint64_t unused = 0;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_LINK_H_
