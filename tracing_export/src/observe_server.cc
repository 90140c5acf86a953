#include "bitactor/tracing_export/observe_server.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing_export/prometheus_text.h"
#include "http_server.h"
#include "observe_page.h"

namespace bitactor {
namespace {

using internal::HttpReply;
using internal::ServedRequest;
using Text = std::shared_ptr<const std::string>;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPageHeaders =
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src "
    "'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors "
    "'none'\r\n";

uint64_t WallNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

absl::Status CheckOptions(const ObserveOptions& options) {
  const auto out_of_range = [](const char* name, uint64_t value, const char* range) {
    return absl::InvalidArgumentError(
        absl::StrCat("ObserveOptions::", name, " is ", value, "; give ", range));
  };
  if (options.refresh_ns < 1'000'000 || options.refresh_ns > 60'000'000'000) {
    return out_of_range("refresh_ns", options.refresh_ns, "1000000 (1 ms) to 60000000000 (1 min)");
  }
  if (options.stuck_ns < 1'000'000 || options.stuck_ns > 60'000'000'000) {
    return out_of_range("stuck_ns", options.stuck_ns, "1000000 (1 ms) to 60000000000 (1 min)");
  }
  if (options.max_connections < 1 || options.max_connections > 1024) {
    return out_of_range("max_connections", options.max_connections, "1 to 1024");
  }
  std::map<std::string, int> names;
  for (const ObserveView& view : options.views) {
    bool letters = !view.name.empty();
    for (const char c : view.name) letters = letters && (absl::ascii_isalnum(c) || c == '_');
    if (!letters || names[view.name]++ > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("ObserveOptions::views: the name \"", view.name,
                       "\" is not of letters, digits and '_', or is there twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

class ObserveServer::Impl {
 public:
  explicit Impl(ObserveOptions options)
      : options_(std::move(options)),
        own_clock_(options_.clock == nullptr
                       ? std::make_unique<TickClock>(TickClock::Source::kMonotonic)
                       : nullptr),
        clock_(options_.clock != nullptr ? options_.clock : own_clock_.get()),
        page_(std::make_shared<const std::string>(internal::kObservePage)) {
    if (!options_.now_unix_ns) options_.now_unix_ns = WallNs;
    MutexLock lock(&mutex_);
    if (options_.registry != nullptr) {
      for (const MetricsText text : {MetricsText::kPrometheus, MetricsText::kOpenMetrics}) {
        Source& source = sources_[MetricsKey(text)];
        source.content_type = ContentTypeOf(text);
        source.produce = [this, text] {
          std::string out;
          AppendMetricsText(out, options_.registry->Collect(options_.now_unix_ns()), text);
          return out;
        };
      }
    }
    for (ObserveView& view : options_.views) {
      Source& source = sources_["/api/" + view.name];
      source.content_type = kJson;
      source.produce = std::move(view.produce);
    }
  }

  ~Impl() {
    // The collector first: it wakes the clients' thread.
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    wanted_.SignalAll();
    if (collector_.joinable()) collector_.join();
    http_.reset();
  }

  absl::Status Start() {
    internal::HttpOptions http;
    http.address = options_.address;
    http.port = options_.port;
    http.max_connections = options_.max_connections;
    http.answer_timeout_ns = options_.stuck_ns;
    http.clock = clock_;
    http.on_status = [this](int status) {
      if (replies_.has_value()) replies_->Of({absl::StrCat(status)}).Add();
    };
    http.on_connections = [this](size_t open) {
      if (connections_ != nullptr) connections_->Set(static_cast<double>(open));
    };
    absl::StatusOr<std::unique_ptr<internal::HttpServer>> server = internal::HttpServer::Listen(
        std::move(http),
        [this](const ServedRequest& request, bool last) { return Handle(request, last); });
    if (!server.ok()) return server.status();
    http_ = *std::move(server);
    // When there is an endpoint for sure: a second try would find these names taken.
    if (absl::Status status = AddOwnMetrics(); !status.ok()) return status;
    http_->Run();
    collector_ = std::jthread([this] { Collect(); });
    return absl::OkStatus();
  }

  uint16_t port() const { return http_->port(); }
  const std::string& address() const { return options_.address; }
  void Wake() { http_->Wake(); }

 private:
  // An answer that the collector makes.
  struct Source {
    std::string_view content_type;
    std::function<std::string()> produce;
    bool wanted = false;
    Text text;  // null: none yet
    uint64_t made_ns = 0;
  };

  static std::string MetricsKey(MetricsText text) {
    return absl::StrCat("/metrics ", text == MetricsText::kOpenMetrics ? 1 : 0);
  }

  absl::Status AddOwnMetrics() {
    if (options_.registry == nullptr) return absl::OkStatus();
    auto replies = options_.registry->AddCounters(
        {.name = "bitactor_http_replies",
         .help = "Replies of this endpoint by status; 0: a client took too long to read one.",
         .labels = {"status"}});
    if (!replies.ok()) return replies.status();
    auto connections = options_.registry->AddGauges(
        {.name = "bitactor_http_connections", .help = "Open connections to this endpoint."});
    if (!connections.ok()) return connections.status();
    replies_ = *replies;
    connections_ = &connections->Of({});
    return absl::OkStatus();
  }

  std::optional<HttpReply> Handle(const ServedRequest& request, bool last) {
    const std::string path(request.path);
    if (path == "/") {
      return HttpReply{
          .content_type = "text/html; charset=utf-8", .body = page_, .more_headers = kPageHeaders};
    }
    if (path == "/health/live") return Plain(200, "live\n");
    if (path == "/health/ready") return Ready();
    return FromCollector(path == "/metrics" ? MetricsKey(ChooseMetricsText(request.accept)) : path,
                         last);
  }

  static HttpReply Plain(int status, std::string text) {
    return {.status = status, .body = std::make_shared<const std::string>(std::move(text))};
  }

  HttpReply Ready() {
    const uint64_t now_ns = clock_->NowNanos();
    if (ready_text_.empty() || now_ns - ready_ns_ >= options_.refresh_ns) {
      ready_ = true;
      ready_text_.clear();
      for (const HealthCheck& check : options_.checks) NoteCheck(check.name, check.check());
      NoteCheck("collector", CollectorStatus(now_ns));
      ready_text_.insert(0, ready_ ? "ready\n" : "not ready\n");
      ready_ns_ = now_ns;
    }
    return Plain(ready_ ? 200 : 503, ready_text_);
  }

  void NoteCheck(const std::string& name, const absl::Status& status) {
    ready_ = ready_ && status.ok();
    absl::StrAppend(
        &ready_text_, name, ": ",
        status.ok() ? "ok" : absl::StrReplaceAll(status.message(), {{"\n", " "}, {"\r", " "}}),
        "\n");
  }

  absl::Status CollectorStatus(uint64_t now_ns) {
    MutexLock lock(&mutex_);
    if (producing_since_ns_ == 0 || now_ns - producing_since_ns_ < options_.stuck_ns) {
      return absl::OkStatus();
    }
    return absl::UnavailableError(absl::StrCat(
        "has waited ", (now_ns - producing_since_ns_) / 1'000'000,
        " ms for the program: a handler does not come back, or its shard gets no processor"));
  }

  std::optional<HttpReply> FromCollector(const std::string& key, bool last) {
    MutexLock lock(&mutex_);
    const auto found = sources_.find(key);
    if (found == sources_.end()) {
      std::string known = "404 Not Found: there are / /health/live /health/ready";
      if (options_.registry != nullptr) known += " /metrics";
      for (const ObserveView& view : options_.views) absl::StrAppend(&known, " /api/", view.name);
      return Plain(404, known + "\n");
    }
    Source& source = found->second;
    const bool fresh =
        source.text != nullptr && clock_->NowNanos() - source.made_ns <= options_.refresh_ns;
    if (fresh || (last && source.text != nullptr)) {
      return HttpReply{.content_type = source.content_type,
                       .body = source.text,
                       .more_headers = fresh ? "" : "Warning: 110 - \"Response is Stale\"\r\n"};
    }
    if (last) {
      return Plain(
          503,
          "503 Service Unavailable: the program did not answer in time; /health/ready says "
          "why\n");
    }
    source.wanted = true;
    wanted_.SignalAll();
    return std::nullopt;
  }

  void Collect() {
    while (true) {
      Source* source = nullptr;
      {
        MutexLock lock(&mutex_);
        while (!stopping_ && (source = NextWanted()) == nullptr) wanted_.Wait(&mutex_);
        if (stopping_) return;
        producing_since_ns_ = std::max<uint64_t>(clock_->NowNanos(), 1);
      }
      // `produce` is written before the threads begin.
      Text text = std::make_shared<const std::string>(source->produce());
      {
        MutexLock lock(&mutex_);
        source->text = std::move(text);
        source->made_ns = clock_->NowNanos();
        source->wanted = false;
        producing_since_ns_ = 0;
      }
      http_->Wake();
    }
  }

  Source* NextWanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto& [key, source] : sources_) {
      if (source.wanted) return &source;
    }
    return nullptr;
  }

  ObserveOptions options_;
  const std::unique_ptr<TickClock> own_clock_;
  const TickClock* const clock_;
  const Text page_;
  // The clients' thread's, once it runs.
  std::optional<MetricCells<CounterCell>> replies_;
  GaugeCell* connections_ = nullptr;
  bool ready_ = true;
  std::string ready_text_;
  uint64_t ready_ns_ = 0;

  Mutex mutex_;
  CondVar wanted_;
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t producing_since_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: the collector is idle

  std::unique_ptr<internal::HttpServer> http_;
  std::jthread collector_;
};

absl::StatusOr<std::unique_ptr<ObserveServer>> ObserveServer::Start(ObserveOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  auto impl = std::make_unique<Impl>(std::move(options));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<ObserveServer>(new ObserveServer(std::move(impl)));
}

ObserveServer::ObserveServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ObserveServer::~ObserveServer() = default;

uint16_t ObserveServer::port() const { return impl_->port(); }
void ObserveServer::Wake() { impl_->Wake(); }

std::string ObserveServer::url() const {
  std::string host = impl_->address();
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = absl::StrCat("[", host, "]");
  return absl::StrCat("http://", host, ":", impl_->port(), "/");
}

}  // namespace bitactor
