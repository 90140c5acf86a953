// What a collector's answer means.
#ifndef BITACTOR_TRACING_EXPORT_SRC_OTLP_ANSWER_H_
#define BITACTOR_TRACING_EXPORT_SRC_OTLP_ANSWER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitactor/tracing_export/http_transport.h"

namespace bitactor::internal {

struct OtlpVerdict {
  enum class Kind : uint8_t {
    kAccepted,  // done; `rejected` of them were not taken and must not be sent again
    kRetry,     // send the same once more, not before `retry_after_ns`
    kTooLarge,  // send less at once
    kRefused,   // it will never be taken: drop it
  };

  Kind kind = Kind::kAccepted;
  uint64_t rejected = 0;
  std::optional<uint64_t> retry_after_ns;  // from now on
  std::string trouble;                     // for people; empty: none
};

// `unix_now_ns`: when the answer came, to which a date in Retry-After is compared where the answer
// has no Date of its own.
OtlpVerdict JudgeAnswer(const absl::StatusOr<HttpAnswer>& answer, uint64_t unix_now_ns);

// Retry-After (RFC 9110, 10.2.3): seconds, or a date in any of its three forms, less `date`, that
// answer's own, so that two clocks need not agree. Nothing when it is neither; past dates are 0.
std::optional<uint64_t> ParseRetryAfter(std::string_view value, std::string_view date,
                                        uint64_t unix_now_ns);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_OTLP_ANSWER_H_
