// A file of spans with their names, for export after the program that recorded them has ended.
#ifndef BITACTOR_TRACING_SPAN_FILE_H_
#define BITACTOR_TRACING_SPAN_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor {

// Layout, little-endian:
//   0   8  "BITASPAN"
//   8   4  version: 1, or 2 when there are traces
//   12  4  CRC-32C of all bytes from 16 to the end
//   16  8  number of spans
//   24  8  spans that were dropped before the oldest one here
//   32  4  number of actor names
//   36  4  number of type names
//   40  4  number of traces that came from outside
//   44  20 zero
//   64     spans, 64 bytes each (SpanRecord)
//   ...    actor names, then type names, by ascending id: id u32, length u32, bytes
//   ...    traces, by ascending local id: local id u64, the id's upper and lower half u64, the parent
//          span u64, flags u32 (1 sampled, 2 random trace id), length u32, tracestate as its header
inline constexpr uint32_t kSpanFileVersion = 2;  // the latest; older ones are read

struct SpanFile {
  std::vector<SpanRecord> spans;
  SpanNameTable names;
  uint64_t dropped = 0;
};

// Threads: any.
// Errors: those of File, and kOutOfRange for a name over 2^20 bytes or spans of more than 2^31
//   bytes.
absl::Status SaveSpans(const std::string& path, std::span<const SpanRecord> spans,
                       const SpanNameTable& names, uint64_t dropped = 0,
                       FileSystem& files = PosixFiles());

// Threads: any.
// Errors: those of File; kInvalidArgument when it is no span file, kFailedPrecondition when it is
//   of another version, kDataLoss when it is damaged or cut short, kOutOfRange when it has more
//   than 2^32 bytes. The message says where.
absl::StatusOr<SpanFile> LoadSpans(const std::string& path, FileSystem& files = PosixFiles());

// The same without a file; `place` stands for the path in messages.
absl::StatusOr<std::vector<std::byte>> EncodeSpans(std::span<const SpanRecord> spans,
                                                   const SpanNameTable& names, uint64_t dropped);
absl::StatusOr<SpanFile> DecodeSpans(std::span<const std::byte> bytes, const std::string& place);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_SPAN_FILE_H_
