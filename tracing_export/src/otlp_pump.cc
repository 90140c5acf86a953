#include "bitactor/tracing_export/otlp_pump.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace bitactor {
namespace {

// A wait is cut into these: far times must not wrap around.
constexpr uint64_t kLongestWaitNs = 1'000'000'000;

std::chrono::steady_clock::time_point After(uint64_t wait_ns) {
  return std::chrono::steady_clock::now() +
         std::chrono::nanoseconds(std::min(wait_ns, kLongestWaitNs));
}

}  // namespace

OtlpPump::OtlpPump(std::function<ExportTime()> clock, OtlpSources sources,
                   std::unique_ptr<HttpTransport> transport)
    : clock_(std::move(clock)), sources_(std::move(sources)), transport_(std::move(transport)) {}

absl::StatusOr<std::unique_ptr<OtlpPump>> OtlpPump::Start(
    OtlpExporterOptions options, SpanNames names, OtlpSources sources,
    std::unique_ptr<HttpTransport> transport) {
  if (transport == nullptr) transport = MakeCurlTransport();
  std::unique_ptr<OtlpPump> pump(
      new OtlpPump(options.clock, std::move(sources), std::move(transport)));
  absl::StatusOr<std::unique_ptr<OtlpExporter>> exporter =
      OtlpExporter::Make(std::move(options), std::move(names), *pump->transport_);
  if (!exporter.ok()) return exporter.status();
  pump->exporter_ = *std::move(exporter);
  pump->thread_ = std::thread([p = pump.get()] { p->Run(); });
  return pump;
}

OtlpPump::~OtlpPump() { Stop(0); }

bool OtlpPump::Flush(uint64_t timeout_ns) { return Order(timeout_ns, /*stop=*/false); }

bool OtlpPump::Stop(uint64_t timeout_ns) {
  if (!thread_.joinable()) return false;
  const bool drained = Order(timeout_ns, /*stop=*/true);
  transport_->Cancel();  // of what is still under way
  thread_.join();
  return drained;
}

OtlpCounters OtlpPump::counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

// Waits until it is carried out or its time is over.
bool OtlpPump::Order(uint64_t timeout_ns, bool stop) {
  const uint64_t start_ns = Now();
  const uint64_t deadline_ns = start_ns + std::min(timeout_ns, OtlpExporter::kNever - start_ns - 1);
  MutexLock lock(&mutex_);
  if (orders_.stop) return false;
  const uint64_t number = ++orders_.flushes;
  orders_.stop = stop;
  orders_.deadline_ns = stop ? deadline_ns : std::max(orders_.deadline_ns, deadline_ns);
  changed_.SignalAll();
  while (flushed_ < number && !ended_) {
    const uint64_t now_ns = Now();
    if (now_ns >= deadline_ns) return false;
    changed_.WaitUntil(&mutex_, After(deadline_ns - now_ns));
  }
  return drained_;
}

// Returns at `until_ns`, or when there is more to do than was known.
OtlpPump::Orders OtlpPump::AwaitOrders(uint64_t known_flushes, uint64_t until_ns) {
  MutexLock lock(&mutex_);
  while (orders_.flushes == known_flushes) {
    const uint64_t now_ns = Now();
    if (now_ns >= until_ns) break;
    changed_.WaitUntil(&mutex_, After(until_ns - now_ns));
  }
  return orders_;
}

void OtlpPump::Report(uint64_t flushed) {
  MutexLock lock(&mutex_);
  counters_ = exporter_->counters();
  if (flushed == flushed_) return;
  flushed_ = flushed;
  drained_ = exporter_->idle();
  changed_.SignalAll();
}

void OtlpPump::Collect(uint64_t now_ns) {
  if (sources_.spans && now_ns >= spans_at_ns_) {
    spans_at_ns_ = now_ns + sources_.spans_interval_ns;
    read_.clear();
    const uint64_t overwritten = sources_.spans(read_);
    exporter_->AddSpans(read_, overwritten);
  }
  if (sources_.metrics && now_ns >= metrics_at_ns_) {
    metrics_at_ns_ = now_ns + sources_.metrics_interval_ns;
    exporter_->AddMetrics(sources_.metrics());
  }
}

// Sends what is here, until it is gone or the latest order's time is over.
void OtlpPump::Drain() {
  for (Orders orders = AwaitOrders(0, 0);;) {
    const uint64_t due_ns = exporter_->PollFlush(orders.deadline_ns);
    if (due_ns == OtlpExporter::kNever || Now() >= orders.deadline_ns) return;
    orders = AwaitOrders(orders.flushes, std::min(due_ns, orders.deadline_ns));
  }
}

void OtlpPump::Run() {
  uint64_t flushed = 0;
  uint64_t due_ns = 0;
  for (;;) {
    uint64_t wake_ns = due_ns;
    if (sources_.spans) wake_ns = std::min(wake_ns, spans_at_ns_);
    if (sources_.metrics) wake_ns = std::min(wake_ns, metrics_at_ns_);
    const Orders orders = AwaitOrders(flushed, wake_ns);
    if (orders.flushes != flushed) {
      spans_at_ns_ = metrics_at_ns_ = 0;  // all that there is until now
      Collect(Now());
      Drain();
      flushed = orders.flushes;
      due_ns = 0;
      if (orders.stop) break;
    } else {
      Collect(Now());
      due_ns = exporter_->Poll();
    }
    Report(flushed);
  }
  const bool drained = exporter_->idle();
  exporter_->Abandon();
  MutexLock lock(&mutex_);
  counters_ = exporter_->counters();
  flushed_ = flushed;
  drained_ = drained;
  ended_ = true;
  changed_.SignalAll();
}

}  // namespace bitactor
