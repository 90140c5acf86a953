#include <curl/curl.h>

#include <algorithm>
#include <atomic>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/tracing_export/http_transport.h"

namespace bitactor {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{64} << 10;
constexpr int kLongestWaitMs = 1000;

// What of an answer has come.
struct Incoming {
  HttpAnswer answer;
  size_t header_bytes = 0;
  bool headers_over = false;
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  Incoming& incoming = *static_cast<Incoming*>(user);
  const size_t bytes = size * count;
  incoming.header_bytes += bytes;
  if (incoming.header_bytes > kMaxHeaderBytes) {
    incoming.headers_over = true;
    return 0;  // ends the transfer
  }
  const absl::string_view line(data, bytes);
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return bytes;
  const absl::string_view name = line.substr(0, colon);
  const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  if (absl::EqualsIgnoreCase(name, "retry-after")) incoming.answer.retry_after = value;
  if (absl::EqualsIgnoreCase(name, "date")) incoming.answer.date = value;
  return bytes;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  HttpAnswer& answer = static_cast<Incoming*>(user)->answer;
  const size_t bytes = size * count;
  const size_t room = kMaxAnswerBytes - answer.body.size();
  answer.body.append(data, std::min(bytes, room));
  answer.cut = bytes > room;
  return answer.cut ? 0 : bytes;  // 0 ends the transfer
}

// Once in a program, before the first handle.
void StartCurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  BITACTOR_CHECK(started == CURLE_OK);
}

class CurlTransport final : public HttpTransport {
 public:
  CurlTransport() {
    StartCurl();
    easy_ = curl_easy_init();
    multi_ = curl_multi_init();
    BITACTOR_CHECK(easy_ != nullptr && multi_ != nullptr);
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  }
  ~CurlTransport() override {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }

  absl::StatusOr<HttpAnswer> Post(const HttpRequest& request) override {
    Incoming incoming;
    curl_slist* headers = curl_slist_append(nullptr, "Expect:");  // no round trip before the body
    for (const auto& [name, value] : request.headers) {
      headers = curl_slist_append(headers, absl::StrCat(name, ": ", value).c_str());
    }
    const uint64_t timeout_ms = std::clamp<uint64_t>(request.timeout_ns / 1'000'000, 1, 86'400'000);
    curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
    curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_ms));
    curl_easy_setopt(easy_, CURLOPT_HEADERDATA, &incoming);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &incoming);
    error_[0] = '\0';
    const absl::StatusOr<CURLcode> result = Transfer();
    curl_slist_free_all(headers);
    if (!result.ok()) return result.status();
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    incoming.answer.status = static_cast<int>(status);
    // What we cut off ourselves is an answer all the same.
    if (*result == CURLE_OK || incoming.answer.cut) return std::move(incoming.answer);
    return Failure(request, *result, incoming);
  }

  void Cancel() override {
    // Relaxed: who sees it reads nothing else; the call after it wakes Transfer() to look.
    cancelled_.store(true, std::memory_order_relaxed);
    curl_multi_wakeup(multi_);
  }

 private:
  absl::StatusOr<CURLcode> Transfer() {
    curl_multi_add_handle(multi_, easy_);
    absl::StatusOr<CURLcode> result = absl::CancelledError("the request was called off");
    int running = 1;
    // Relaxed: see Cancel().
    while (!cancelled_.load(std::memory_order_relaxed)) {
      CURLMcode code = curl_multi_perform(multi_, &running);
      if (code == CURLM_OK && running == 0) {
        result = Result();
        break;
      }
      if (code == CURLM_OK) code = curl_multi_poll(multi_, nullptr, 0, kLongestWaitMs, nullptr);
      if (code != CURLM_OK) {
        result = absl::InternalError(absl::StrCat("libcurl: ", curl_multi_strerror(code)));
        break;
      }
    }
    curl_multi_remove_handle(multi_, easy_);  // closes what is half done
    return result;
  }

  CURLcode Result() {
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_, &left);
    BITACTOR_CHECK(message != nullptr && message->msg == CURLMSG_DONE);
    return message->data.result;
  }

  bool Sent() const {
    long bytes = 0;
    curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
  }

  absl::Status Failure(const HttpRequest& request, CURLcode code, const Incoming& incoming) const {
    const char* why = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    const std::string text =
        incoming.headers_over ? absl::StrCat(request.url, ": the answer's headers have more than ",
                                             kMaxHeaderBytes, " bytes")
                              : absl::StrCat(request.url, ": ", why);
    switch (code) {
      case CURLE_OPERATION_TIMEDOUT:
        return absl::DeadlineExceededError(text);
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:  // of the URL, or of an answer to what was sent
        if (!Sent()) return absl::InvalidArgumentError(text);
        return absl::UnavailableError(text);
      default:
        return absl::UnavailableError(text);
    }
  }

  CURL* easy_ = nullptr;
  CURLM* multi_ = nullptr;
  char error_[CURL_ERROR_SIZE] = {};
  std::atomic<bool> cancelled_{false};  // written by whoever cancels
};

}  // namespace

std::unique_ptr<HttpTransport> MakeCurlTransport() { return std::make_unique<CurlTransport>(); }

}  // namespace bitactor
