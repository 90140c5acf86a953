// A program outside this repository that uses the installed tracing_export and links nothing else:
// it seals two spans, verifies the file, loads it again, sees a changed byte, and makes a request's
// body and what would send it.
#include <cstdio>
#include <fstream>
#include <string>

#include "bitactor/tracing_export/otlp_exporter.h"
#include "bitactor/tracing_export/seal_verify.h"
#include "bitactor/tracing_export/sealed_blocks.h"

namespace {

int Fail(const char* what) {
  std::fprintf(stderr, "tracing_export consumer: %s\n", what);
  return 1;
}

}  // namespace

int main() {
  bitactor::SpanFile spans;
  spans.spans.resize(2);
  spans.spans[1].span = 7;
  const char path[] = "consumer.sealed";
  std::remove(path);
  auto seal = bitactor::SaveSealedSpans(path, spans);
  if (!seal.ok()) return Fail(seal.status().ToString().c_str());
  auto report = bitactor::VerifySeals(path);
  if (!report.ok()) return Fail(report.status().ToString().c_str());
  if (report->fault.has_value() || report->last != *seal)
    return Fail("a fault in a file that was just written");
  auto loaded = bitactor::LoadSealedSpans(path);
  if (!loaded.ok()) return Fail(loaded.status().ToString().c_str());
  if (loaded->spans.size() != 2 || loaded->spans[1].span != 7)
    return Fail("loaded other spans than were saved");

  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-150, std::ios::end);  // in block 1, before the end
  file.put('\x5a');
  file.close();
  report = bitactor::VerifySeals(path);
  if (!report.ok() || !report->fault.has_value() || report->fault->block != 1)
    return Fail("a changed byte was not found in its block");
  std::remove(path);

  const auto transport = bitactor::MakeCurlTransport();
  auto exporter = bitactor::OtlpExporter::Make({.seed = 1}, {}, *transport);
  if (!exporter.ok()) return Fail(exporter.status().ToString().c_str());
  std::string body;
  bitactor::OtlpSpanEncoder({}, {}).Encode(loaded->spans, body);
  if (body.find("\"spanId\":\"0000000000000007\"") == std::string::npos)
    return Fail("a span is not in its request");
  std::puts("tracing_export consumer: ok");
  return 0;
}
