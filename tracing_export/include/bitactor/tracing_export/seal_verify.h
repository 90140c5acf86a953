// Whether a file of sealed blocks is what its writer wrote, and if not, where it first is not.
#ifndef BITACTOR_TRACING_EXPORT_SEAL_VERIFY_H_
#define BITACTOR_TRACING_EXPORT_SEAL_VERIFY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/tracing/span_file.h"
#include "bitactor/tracing_export/sealed_blocks.h"

namespace bitactor {

enum class SealFaultKind : uint8_t {
  kChanged,    // bits of this block, or of the 64 bytes before block 0
  kRemoved,    // this block and what follows up to the one that stands here
  kInserted,   // something stands where this block should; the block itself may follow
  kReordered,  // another block of this file stands here, this one further on
  kCutOff,     // the file ends before or within this block: cut off, or never finished
};
const char* SealFaultName(SealFaultKind kind);

struct SealFault {
  SealFaultKind kind = SealFaultKind::kChanged;
  uint64_t block = 0;   // the first one concerned, by its number in the file as it was written
  uint64_t offset = 0;  // where in the file as it is, bytes
  std::string what;     // place, what is there, what should be
};

struct SealReport {
  // Up to the fault.
  uint64_t blocks = 0;
  uint64_t spans = 0;
  uint64_t dropped = 0;  // before spans of these blocks
  BlockSeal last;        // of the last good block
  std::optional<SealFault> fault;
};

// Follows the chain from the first byte to the end and stops at the first fault. Every changed bit,
// every block taken out, put in or moved, and every cut is one. What it cannot see: a chain that
// was made anew from some block to the end. Against that, keep the last seal elsewhere and compare.
// Threads: any; no state.
// Bounds: memory for one block, 64 MiB at most.
// Errors: those of File; kInvalidArgument when it is no sealed file, kFailedPrecondition when it is
//   of another version. A fault is no error, it is the answer.
// Cost: about 30 ns a span, from a file in memory.
absl::StatusOr<SealReport> VerifySeals(const std::string& path, FileSystem& files = PosixFiles());
// The same; `place` stands for the path in messages.
absl::StatusOr<SealReport> VerifySeals(const File& file, const std::string& place);

// All spans of a file without a fault, and its last names.
// Errors: as of VerifySeals; kDataLoss for a fault, with its place.
absl::StatusOr<SpanFile> LoadSealedSpans(const std::string& path, FileSystem& files = PosixFiles());
absl::StatusOr<SpanFile> LoadSealedSpans(const File& file, const std::string& place);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_SEAL_VERIFY_H_
