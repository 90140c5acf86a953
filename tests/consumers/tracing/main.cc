// A program outside this repository that uses the installed tracing and links nothing else: it
// records two spans, saves them, loads them again and shows them as Chrome's JSON.
#include <cstdio>
#include <sstream>

#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/span_file.h"
#include "bitactor/tracing/span_ring.h"

namespace {

int Fail(const char* what) {
  std::fprintf(stderr, "tracing consumer: %s\n", what);
  return 1;
}

}  // namespace

int main() {
  bitactor::SpanRing ring(2);
  bitactor::SpanRecord span;
  for (uint64_t i = 1; i <= 3; ++i) {
    span.trace = 7;
    span.span = i;
    span.parent_span = i - 1;
    span.sent_ns = 1'000 * i;
    span.start_ns = 1'000 * i + 100;
    span.duration_ns = 50;
    span.target = 4711;
    ring.Record(span);
  }
  if (ring.dropped() != 1)
    return Fail("a ring of 2 that took 3 spans dropped another number than 1");

  bitactor::SpanNameTable names;
  names.actors[4711] = "pricing";
  const char path[] = "consumer.spans";
  if (auto saved = bitactor::SaveSpans(path, ring.Snapshot(), names, ring.dropped()); !saved.ok())
    return Fail(saved.ToString().c_str());
  auto loaded = bitactor::LoadSpans(path);
  if (!loaded.ok()) return Fail(loaded.status().ToString().c_str());
  if (loaded->spans.size() != 2 || loaded->spans[0].span != 2 || loaded->dropped != 1)
    return Fail("loaded other spans than were saved");

  std::ostringstream json;
  if (!bitactor::WriteChromeTrace(loaded->spans, loaded->names.Lookup(), json).ok())
    return Fail("the export failed");
  if (json.str().find("pricing") == std::string::npos) return Fail("the export names no actor");
  std::remove(path);
  std::puts("tracing consumer: ok");
  return 0;
}
