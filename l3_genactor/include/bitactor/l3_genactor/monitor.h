// Learning of another actor's end.
#ifndef BITACTOR_L3_GENACTOR_MONITOR_H_
#define BITACTOR_L3_GENACTOR_MONITOR_H_

#include <cstdint>
#include <string_view>

#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"

namespace bitactor {

// Comes once for each Monitor(), when the watched actor ends or crashes (a restarted one too), or
// at once with kNotFound when there is nobody. An actor that monitors lists Down among its
// messages.
struct Down {
  static constexpr std::string_view kTypeName = "bitactor::Down";

  Address who;
  uint64_t monitor = 0;  // what Monitor() returned
  ExitReason reason;
};
static_assert(sizeof(Down) <= 128);

namespace internal {

struct MonitorRequest {
  static constexpr std::string_view kTypeName = "bitactor::MonitorRequest";
  uint64_t unused = 0;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_MONITOR_H_
