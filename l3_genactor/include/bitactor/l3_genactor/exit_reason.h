// Why an actor ended, in the words of OTP and small enough to travel in a message.
#ifndef BITACTOR_L3_GENACTOR_EXIT_REASON_H_
#define BITACTOR_L3_GENACTOR_EXIT_REASON_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"

namespace bitactor {

// Threads: a plain value.
// Bounds: 112 bytes without padding, trivially copyable, every unused byte zero, so that it travels
//   in a message and is digested by its bytes. Text over 104 bytes is cut at a character and ends
//   in "...".
// Errors: none.
class ExitReason {
 public:
  // Values are stored in journals: append only.
  enum class Kind : uint8_t {
    kNormal = 0,        // finished its work
    kShutdown = 1,      // stopped by its supervisor or its owner
    kShutdownWith = 2,  // the same, with a detail for whoever looks
    kKill = 3,          // killed: ended without Terminate()
    kError = 4,         // crashed: a status code and a text
    kKilled = 5,        // what others learn of one that was killed
  };
  static constexpr size_t kMaxTextBytes = 104;

  // kNormal.
  constexpr ExitReason() = default;

  static constexpr ExitReason Normal() { return ExitReason(); }
  static ExitReason Shutdown() { return ExitReason(Kind::kShutdown, 0, {}); }
  static ExitReason ShutdownWith(std::string_view detail) {
    return ExitReason(Kind::kShutdownWith, 0, detail);
  }
  static ExitReason Kill() { return ExitReason(Kind::kKill, 0, {}); }
  static ExitReason Killed() { return ExitReason(Kind::kKilled, 0, {}); }
  // A crash. kOk is no error and becomes kUnknown.
  static ExitReason Error(absl::StatusCode code, std::string_view text) {
    const auto value =
        static_cast<int32_t>(code == absl::StatusCode::kOk ? absl::StatusCode::kUnknown : code);
    return ExitReason(Kind::kError, value, text);
  }
  static ExitReason Error(const absl::Status& status) {
    return Error(status.code(), {status.message().data(), status.message().size()});
  }

  Kind kind() const { return kind_; }
  // The code of kError; kOk of every other kind.
  absl::StatusCode code() const { return static_cast<absl::StatusCode>(code_); }
  // The detail of kShutdownWith, the text of kError; else empty.
  std::string_view text() const { return {text_, std::min<size_t>(size_bytes_, kMaxTextBytes)}; }

  // An end after which a transient child is not restarted: normal, shutdown, shutdown with detail.
  bool IsNormalForTransient() const {
    return kind_ == Kind::kNormal || kind_ == Kind::kShutdown || kind_ == Kind::kShutdownWith;
  }

  // What a caller whose server ended this way is told: the error itself, or kAborted with
  // ToString().
  absl::Status ToStatus() const {
    if (kind_ != Kind::kError) return absl::AbortedError(ToString());
    return absl::Status(code(), absl::string_view(text().data(), text().size()));
  }

  // "normal", "shutdown", "shutdown: detail", "kill", "killed", "error INTERNAL: text".
  std::string ToString() const;

  friend bool operator==(const ExitReason&, const ExitReason&) = default;

 private:
  ExitReason(Kind kind, int32_t code, std::string_view text);

  Kind kind_ = Kind::kNormal;
  uint8_t size_bytes_ = 0;  // of text_ in use
  uint16_t unused_ = 0;
  int32_t code_ = 0;
  char text_[kMaxTextBytes] = {};
};
static_assert(sizeof(ExitReason) == 112 && std::is_trivially_copyable_v<ExitReason> &&
              std::has_unique_object_representations_v<ExitReason>);

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_EXIT_REASON_H_
