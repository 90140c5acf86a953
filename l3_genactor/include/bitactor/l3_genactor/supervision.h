// How failures are answered: what a supervisor is told when it and its children are started.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"

namespace bitactor {

// When a child that ended is started again.
enum class Restart : uint8_t {
  kPermanent,  // always
  kTransient,  // unless it ended normally or was shut down
  kTemporary,  // never, and nothing is kept of it
};

// Which children a failure restarts. The fourth of OTP's, simple_one_for_one, is
// SupervisorRef::SuperviseEach().
enum class Strategy : uint8_t {
  kOneForOne,   // the failed one alone
  kOneForAll,   // all
  kRestForOne,  // the failed one and those started after it
};

// What the end of a significant child means that is not started again. A supervisor that shuts down
// ends its children, the last one started first, and then itself, with `shutdown`.
enum class AutoShutdown : uint8_t {
  kNever,
  kAnySignificant,  // the supervisor shuts down
  kAllSignificant,  // it does so when it was the last one
};

// Defaults are OTP's (supervisor: intensity 1, period 5 s).
struct SupervisorOptions {
  Strategy strategy = Strategy::kOneForOne;
  uint32_t max_restarts = 1;  // more than these within the period: all children are shut down
  absl::Duration within = absl::Seconds(5);  // above 0
  AutoShutdown auto_shutdown = AutoShutdown::kNever;
};

// How long a child that failed stays down: base, then twice as long each time, up to cap, of which a
// random half is taken off. It begins at base again when the child has run for longer than cap. The
// mailbox is kept meanwhile.
struct Backoff {
  absl::Duration base = absl::ZeroDuration();  // 0: it is started again at once
  absl::Duration cap = absl::Seconds(30);      // base to 1 h
};

// What becomes of the message that an actor failed at, once it is started again. What waits behind it
// is kept in any case.
enum class PoisonPolicy : uint8_t {
  kSkip,  // it is passed over
  // It is handled again before all others, up to `retries` times, and passed over then; a caller hears
  // of the last failure alone. Not of a durable actor: from the same state it would fail again.
  kRetry,
  kQuarantine,  // it is passed over, and kept with the cause (System::Poisoned())
};
struct Poison {
  PoisonPolicy policy = PoisonPolicy::kSkip;
  uint32_t retries = 1;  // of kRetry, 1 to 100
};

// Of ChildOptions::shutdown: the child is killed at once, without Terminate.
inline constexpr absl::Duration kBrutalKill = absl::ZeroDuration();

struct ChildOptions {
  Restart restart = Restart::kPermanent;
  // How long it may take to end before it is killed, 0 (kBrutalKill) to InfiniteDuration(). Of a
  // supervisor it is always infinite.
  absl::Duration shutdown = absl::Seconds(5);
  // Not of a permanent child; asks for an auto_shutdown that is not kNever.
  bool significant = false;
  Backoff backoff = {};  // not of a supervisor
  Poison poison = {};    // the same
};

// What an `absl::Status Init()` returns that finds nothing to do: the actor is not there, and that is
// no failure (OTP: ignore). Its specification is kept, but for a temporary child's.
inline absl::Status IgnoreStart() { return absl::CancelledError("ignore"); }
inline bool IsIgnoreStart(const absl::Status& status) {
  return absl::IsCancelled(status) && status.message() == "ignore";
}

// A message that an actor failed at (PoisonPolicy::kQuarantine).
struct PoisonedMessage {
  std::string actor;
  ExitReason cause;
  Frame frame;
  std::vector<std::byte> block;  // its payload, if that is a block (kFlagBlock)
};

enum class ChildState : uint8_t {
  kStopped,   // there is only its specification
  kStarting,  // Init runs, or its turn comes
  kRunning,
  kStopping,  // it was told to end
  kDown,      // it ended and will be started again; its mailbox is kept
};
const char* ChildStateName(ChildState state);
const char* RestartName(Restart restart);
const char* StrategyName(Strategy strategy);

// A child, as SupervisorRef::WhichChildren() and System::Tree() tell of it.
struct ChildInfo {
  std::string name;
  Address address;  // of a supervisor: nobody's
  bool is_supervisor = false;
  ChildState state = ChildState::kStopped;
  Restart restart = Restart::kPermanent;
  uint64_t restarts = 0;      // of this child
  bool has_ended = false;     // at least once
  ExitReason last_exit = {};  // then
};

// OTP's count_children.
struct ChildCounts {
  size_t specs = 0;
  size_t active = 0;
  size_t supervisors = 0;  // running or not
  size_t workers = 0;      // the same

  friend bool operator==(const ChildCounts&, const ChildCounts&) = default;
};

// A part of the tree.
struct SupervisionNode {
  ChildInfo self;
  // Of a supervisor.
  Strategy strategy = Strategy::kOneForOne;
  bool each = false;                           // SuperviseEach()
  bool gave_up = false;                        // too many restarts
  uint64_t restarts_made = 0;                  // of its children; one event of several is one
  size_t children_left_out = 0;                // see System::Tree()
  std::vector<SupervisionNode> children = {};  // in the order of their start
};

// For people, a line each. For programs.
std::string TreeText(const SupervisionNode& top);
std::string TreeJson(const SupervisionNode& top);

namespace internal {

// What is wrong with options, with the name of what OTP calls it.
absl::Status ValidateSupervisor(const SupervisorOptions& options);
absl::Status ValidateChild(std::string_view name, const ChildOptions& options,
                           const SupervisorOptions& supervisor);

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_H_
