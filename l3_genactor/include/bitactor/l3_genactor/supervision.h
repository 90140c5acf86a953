// How failures are answered: what a supervisor is told when it and its children are started.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_H_

#include <cstdint>

#include "absl/time/time.h"

namespace bitactor {

// When a child that ended is started again.
enum class Restart : uint8_t {
  kPermanent,  // always
  kTransient,  // unless it ended normally or was shut down
  kTemporary,  // never
};

// Which children a failure restarts.
enum class Strategy : uint8_t {
  kOneForOne,  // the failed one alone
};

// Defaults are OTP's (supervisor: intensity 1, period 5 s).
struct SupervisorOptions {
  Strategy strategy = Strategy::kOneForOne;
  uint32_t max_restarts = 1;  // more than these within the period: all children are shut down
  absl::Duration within = absl::Seconds(5);  // above 0
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_H_
