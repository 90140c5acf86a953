// A running program's spans, sent to an OpenTelemetry collector: otlp_pump [http://127.0.0.1:4318].
// Without a collector it works just as well, and knows how many spans nobody took.
#include "bitactor/tracing_export/otlp_pump.h"

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

struct Add {
  int64_t n;
};

class Counter : public Actor<Counter, Add> {
 public:
  void On(const Add& m) { sum_ += m.n; }

 private:
  int64_t sum_ = 0;
};

int main(int argc, char** argv) {
  const std::string collector = argc > 1 ? argv[1] : "http://127.0.0.1:4318";
  auto system = System::Start({.shards = 2}).value();
  auto counter = system->Supervise().Spawn<Counter>("counter");

  // [pump]
  Fabric& fabric = system->fabric();
  SpanCursor cursor;  // how far the pump has read
  OtlpSources sources;
  sources.spans = [&fabric, &cursor](std::vector<SpanRecord>& spans) {
    const uint64_t before = cursor.overwritten;
    fabric.ReadSpans(cursor, spans);
    return cursor.overwritten - before;
  };
  const SpanNames names = {
      .actor = [&fabric](uint32_t id) { return fabric.NameOf(ActorId{id}); },
      .type = [](uint32_t type) { return type == TypeId<Add>() ? "Add" : ""; }};
  OtlpExporterOptions options{.endpoint = collector};
  options.origin.service_name = "counter";
  options.origin.trace_id = [&fabric](uint64_t trace) {
    return fabric.trace_roots().TraceIdOf(trace);  // what came with one from outside keeps it
  };
  options.origin.trace_high = std::random_device{}();  // other runs have other trace ids
  auto pump = OtlpPump::Start(options, names, sources);
  if (!pump.ok()) return 1;

  for (int64_t i = 0; i < 1'000; ++i) counter.Cast(Add{i});
  system->WaitIdle();

  const bool all = (*pump)->Stop(200'000'000);  // before the system stops; 200 ms at most
  const OtlpCounters counters = (*pump)->counters();
  // [pump]
  std::printf("%s: %llu of %llu spans sent, %llu left%s\n", all ? "done" : "in time",
              static_cast<unsigned long long>(counters.spans.sent),
              static_cast<unsigned long long>(counters.spans.added),
              static_cast<unsigned long long>(counters.spans.unsent),
              counters.last_trouble.empty() ? "" : (": " + counters.last_trouble).c_str());
  return counters.spans.added == 1'000 && counters.spans.queued == 0 ? 0 : 1;
}
