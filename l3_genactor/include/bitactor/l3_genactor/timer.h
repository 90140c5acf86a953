// What an actor knows of its timers.
#ifndef BITACTOR_L3_GENACTOR_TIMER_H_
#define BITACTOR_L3_GENACTOR_TIMER_H_

#include <cstdint>
#include <string_view>

namespace bitactor {

// Names a timer of one actor, for CancelTimer(). May be kept in its state.
enum class TimerId : uint64_t { kNone = 0 };

// Comes when no other message came for the time that SetIdleTimeout() said: once for each silence.
struct IdleTimeout {
  static constexpr std::string_view kTypeName = "bitactor::IdleTimeout";
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_TIMER_H_
