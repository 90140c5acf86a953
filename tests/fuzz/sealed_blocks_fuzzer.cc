// A sealed file whose spans, drop counts and damage are the input: undamaged it is whole and gives
// the spans back; damaged in any way it has a fault.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/tracing_export/seal_verify.h"
#include "bitactor/tracing_export/sealed_blocks.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kPath[] = "a.sealed";

class Input {
 public:
  Input(const uint8_t* data, size_t size_bytes) : data_(data), left_(size_bytes) {}

  bool done() const { return left_ == 0; }
  uint64_t Take(size_t size_bytes) {
    uint64_t value = 0;
    const size_t count = std::min(size_bytes, left_);
    if (count > 0) std::memcpy(&value, data_, count);
    data_ += count;
    left_ -= count;
    return value;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

std::vector<SpanRecord> WriteBlocks(Input& input, SimulatedFiles& files) {
  std::vector<SpanRecord> all;
  SealedBlocksWriter writer = SealedBlocksWriter::Create(kPath, files).value();
  for (uint64_t blocks = input.Take(1) % 6; blocks > 0; --blocks) {
    std::vector<SpanRecord> spans(input.Take(1) % 4);
    for (SpanRecord& span : spans) {
      span.trace = input.Take(8);
      span.outcome = static_cast<SpanOutcome>(input.Take(1) % 5);  // 4 is none
    }
    BITACTOR_CHECK(writer.AppendSpans(spans, input.Take(2)).ok());
    all.insert(all.end(), spans.begin(), spans.end());
  }
  if (input.Take(1) % 2 == 0) {
    SpanNameTable names;
    names.actors[7] = "alice";
    BITACTOR_CHECK(writer.AppendNames(names).ok());
  }
  BITACTOR_CHECK(writer.Finish().ok());
  return all;
}

void CheckWhole(SimulatedFiles& files, const std::vector<SpanRecord>& spans) {
  const SealReport report = VerifySeals(kPath, files).value();
  BITACTOR_CHECK(!report.fault.has_value());
  BITACTOR_CHECK_EQ(report.spans, spans.size());
  const absl::StatusOr<SpanFile> loaded = LoadSealedSpans(kPath, files);
  const bool known = std::all_of(spans.begin(), spans.end(), [](const SpanRecord& span) {
    return span.outcome <= kLastSpanOutcome;
  });
  BITACTOR_CHECK_EQ(loaded.ok(), known);
  if (!known) return;
  BITACTOR_CHECK_EQ(loaded->spans.size(), spans.size());
  BITACTOR_CHECK(spans.empty() || std::memcmp(loaded->spans.data(), spans.data(),
                                              spans.size() * sizeof(SpanRecord)) == 0);
}

// Bytes written over, taken out, put in or moved.
std::vector<std::byte> Damaged(Input& input, std::vector<std::byte> bytes) {
  while (!input.done() && !bytes.empty()) {
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(input.Take(2) % bytes.size());
    const auto room = static_cast<uint64_t>(bytes.end() - begin);
    const auto end = begin + static_cast<std::ptrdiff_t>(input.Take(2) % (room + 1));
    switch (input.Take(1) % 4) {
      case 0:
        *begin = static_cast<std::byte>(input.Take(1));
        break;
      case 1:
        bytes.erase(begin, end);
        break;
      case 2: {
        const std::vector<std::byte> copy(begin, end);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(input.Take(2) % bytes.size()),
                     copy.begin(), copy.end());
        break;
      }
      default:
        std::rotate(begin, begin + (end - begin) / 2, end);
    }
  }
  return bytes;
}

void Try(const uint8_t* data, size_t size_bytes) {
  Input input(data, size_bytes);
  SimulatedFiles files;
  CheckWhole(files, WriteBlocks(input, files));
  const std::vector<std::byte> sample = files.Read(kPath);
  const std::vector<std::byte> bytes = Damaged(input, sample);
  const std::unique_ptr<File> file = files.Open(kPath, FileSystem::OpenMode::kCreate).value();
  if (!bytes.empty()) BITACTOR_CHECK(file->WriteAt(0, bytes).ok());
  const absl::StatusOr<SealReport> report = VerifySeals(kPath, files);
  const bool whole = report.ok() && !report->fault.has_value();
  BITACTOR_CHECK_EQ(whole, bytes == sample);
  if (!whole) BITACTOR_CHECK(!LoadSealedSpans(kPath, files).ok());
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitactor::test::Try(data, size);
  return 0;
}
