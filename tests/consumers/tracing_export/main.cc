// A program outside this repository that uses the installed tracing_export and links nothing else:
// it seals two spans, verifies the file, loads it again and sees a changed byte.
#include <cstdio>
#include <fstream>

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
  std::puts("tracing_export consumer: ok");
  return 0;
}
