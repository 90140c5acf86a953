#include "otlp_answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace bitactor::internal {
namespace {

using nlohmann::json;

// Longer than anybody waits; keeps sums of times from wrapping around.
constexpr uint64_t kLongestNs = uint64_t{366} * 86'400 * 1'000'000'000;
constexpr size_t kShownBytes = 200;

std::optional<absl::Time> ParseHttpDate(std::string_view text) {
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    absl::Time time;
    if (absl::ParseTime(format, absl::string_view(text.data(), text.size()), &time, nullptr)) {
      return time;
    }
  }
  return std::nullopt;
}

// A 64-bit integer of protobuf's JSON: a number, or one in quotes.
std::optional<uint64_t> CountOf(const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  uint64_t count = 0;
  if (value.is_string() && absl::SimpleAtoi(value.get_ref<const std::string&>(), &count)) {
    return count;
  }
  return std::nullopt;
}

// {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}}, each part of it optional.
void ReadPartialSuccess(const HttpAnswer& answer, OtlpVerdict& verdict) {
  if (answer.body.empty()) return;
  const json body = answer.cut ? json(json::value_t::discarded)
                               : json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) {
    verdict.trouble =
        absl::StrCat("accepted with an answer that is no JSON object",
                     answer.cut ? " of at most 64 KiB" : "", ": ", answer.body.substr(0, 40));
    return;
  }
  const auto partial = body.find("partialSuccess");
  if (partial == body.end() || !partial->is_object()) return;
  for (const char* name : {"rejectedSpans", "rejectedDataPoints"}) {
    const auto found = partial->find(name);
    if (found == partial->end()) continue;
    if (const std::optional<uint64_t> count = CountOf(*found); count.has_value()) {
      verdict.rejected += *count;
    } else {
      verdict.trouble = absl::StrCat("accepted, with a ", name, " that is no count");
    }
  }
  const auto message = partial->find("errorMessage");
  const bool told = message != partial->end() && message->is_string() &&
                    !message->get_ref<const std::string&>().empty();
  if (verdict.rejected != 0 || told) {
    verdict.trouble = absl::StrCat(
        "the collector did not take ", verdict.rejected, " of them: ",
        told ? message->get_ref<const std::string&>().substr(0, kShownBytes) : "no reason given");
  }
}

}  // namespace

std::optional<uint64_t> ParseRetryAfter(std::string_view value, std::string_view date,
                                        uint64_t unix_now_ns) {
  constexpr uint64_t kNsPerSecond = 1'000'000'000;
  if (value.empty()) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    uint64_t seconds = 0;
    if (!absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &seconds)) {
      return kLongestNs;  // more than 64 bits of seconds
    }
    return std::min(seconds, kLongestNs / kNsPerSecond) * kNsPerSecond;
  }
  const std::optional<absl::Time> until = ParseHttpDate(value);
  if (!until.has_value()) return std::nullopt;
  const absl::Time now =
      ParseHttpDate(date).value_or(absl::FromUnixNanos(static_cast<int64_t>(unix_now_ns)));
  const int64_t wait_ns = absl::ToInt64Nanoseconds(*until - now);
  return std::min(static_cast<uint64_t>(std::max<int64_t>(wait_ns, 0)), kLongestNs);
}

OtlpVerdict JudgeAnswer(const absl::StatusOr<HttpAnswer>& answer, uint64_t unix_now_ns) {
  using Kind = OtlpVerdict::Kind;
  OtlpVerdict verdict;
  if (!answer.ok()) {
    const bool hopeless = answer.status().code() == absl::StatusCode::kInvalidArgument;
    verdict.kind = hopeless ? Kind::kRefused : Kind::kRetry;
    verdict.trouble = std::string(answer.status().message());
    return verdict;
  }
  const int status = answer->status;
  if (status >= 200 && status < 300) {
    ReadPartialSuccess(*answer, verdict);
    return verdict;
  }
  verdict.trouble =
      absl::StrCat("the collector answered ", status,
                   status >= 300 && status < 400 ? ", a redirect, which is not followed" : "",
                   answer->body.empty() ? "" : ": ", answer->body.substr(0, kShownBytes));
  if (status == 413) {
    verdict.kind = Kind::kTooLarge;
  } else if (status == 429 || status == 502 || status == 503 || status == 504) {
    verdict.kind = Kind::kRetry;
    verdict.retry_after_ns = ParseRetryAfter(answer->retry_after, answer->date, unix_now_ns);
  } else {
    verdict.kind = Kind::kRefused;
  }
  return verdict;
}

}  // namespace bitactor::internal
