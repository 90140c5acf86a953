// A thread that reads spans and metrics of a running program and sends them to a collector.
#ifndef BITACTOR_TRACING_EXPORT_OTLP_PUMP_H_
#define BITACTOR_TRACING_EXPORT_OTLP_PUMP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing_export/otlp_exporter.h"

namespace bitactor {

// Called by the pump's thread alone.
struct OtlpSources {
  // Appends what was recorded since the last call, and returns how many spans were overwritten in
  // between (Fabric::ReadSpans). Empty: no spans.
  std::function<uint64_t(std::vector<SpanRecord>& spans)> spans = {};
  // Empty: no metrics.
  std::function<MetricsSnapshot()> metrics = {};
  uint64_t spans_interval_ns = 10'000'000;  // a ring of 65536 lasts 65 ms at a million a second
  uint64_t metrics_interval_ns = 10'000'000'000;
};

// Threads: any.
// Progress: the program never waits for the collector: while one does not answer, rings and queue
//   fill, and what they lose is counted.
// Bounds: as of OtlpExporter.
// Errors: as of OtlpExporter; look at counters().
class OtlpPump {
 public:
  // `transport`: null for MakeCurlTransport(). kInvalidArgument as of OtlpExporter::Make.
  static absl::StatusOr<std::unique_ptr<OtlpPump>> Start(
      OtlpExporterOptions options, SpanNames names, OtlpSources sources,
      std::unique_ptr<HttpTransport> transport = nullptr);
  // Stop() without waiting for the collector.
  ~OtlpPump();

  // Sends all that was recorded before this call. True when nothing of it waits any longer: the
  // counters say what became of it. False when that took too long.
  bool Flush(uint64_t timeout_ns);
  // The same, and ends the thread, whatever the collector does; what waits then is counted as
  // unsent. Call it before the fabric stops. Further calls do nothing and return false.
  bool Stop(uint64_t timeout_ns);

  OtlpCounters counters() const;

 private:
  OtlpPump(std::function<ExportTime()> clock, OtlpSources sources,
           std::unique_ptr<HttpTransport> transport);

  // What the thread is asked to do.
  struct Orders {
    uint64_t flushes = 0;      // asked for so far
    uint64_t deadline_ns = 0;  // of the latest, steady time
    bool stop = false;
  };

  void Run();
  void Collect(uint64_t now_ns);
  void Drain();
  void Report(uint64_t flushed);
  Orders AwaitOrders(uint64_t known_flushes, uint64_t until_ns);
  bool Order(uint64_t timeout_ns, bool stop);
  uint64_t Now() const { return clock_().steady_ns; }

  const std::function<ExportTime()> clock_;
  const OtlpSources sources_;
  const std::unique_ptr<HttpTransport> transport_;

  // Of the thread.
  std::unique_ptr<OtlpExporter> exporter_;
  std::vector<SpanRecord> read_;
  uint64_t spans_at_ns_ = 0;  // when to read again
  uint64_t metrics_at_ns_ = 0;

  mutable Mutex mutex_;
  CondVar changed_;
  Orders orders_ ABSL_GUARDED_BY(mutex_);
  uint64_t flushed_ ABSL_GUARDED_BY(mutex_) = 0;  // flushes that are over
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;  // the last of them left nothing
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  OtlpCounters counters_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_OTLP_PUMP_H_
