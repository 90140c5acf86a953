// A file of spans in sealed blocks: each is chained to the one before by a hash, so that no change
// goes unseen (seal_verify.h).
#ifndef BITACTOR_TRACING_EXPORT_SEALED_BLOCKS_H_
#define BITACTOR_TRACING_EXPORT_SEALED_BLOCKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_file.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor {

// Layout, little-endian. The file begins with 64 bytes:
//   0   8  "BITASEAL"
//   8   4  version, 1
//   12  52 zero
// Then blocks:
//   0   32 seal of the block before; for block 0, the hash of the file's first 64 bytes
//   32  8  number, from 0
//   40  4  kind: 1 spans, 2 names, 3 end
//   44  4  payload bytes, at most 2^26
//   48  8  spans that were dropped before those of this block, and are in no other one
//   56  8  spans in the file, with those of this block
//   64     payload: spans, 64 bytes each (SpanRecord); names as a span file without spans; or none
//   ...    seal: BLAKE3 of all of the above, 32 bytes
// The end is the last block of a whole file. Its seal stands for every bit of the file: who keeps
// it elsewhere can tell this file from every other one.
inline constexpr std::string_view kSealedFileMagic = "BITASEAL";
inline constexpr uint32_t kSealedFileVersion = 1;

struct BlockSeal {
  std::array<std::byte, 32> bytes{};

  std::string ToHex() const;
  friend bool operator==(const BlockSeal&, const BlockSeal&) = default;
};

// Order: blocks in the order of the calls.
// Threads: one at a time, and none that dispatches messages: hashing and writing take their time.
// Bounds: 1 MiB of memory for spans; names at most 64 MiB.
// Errors: those of File. What could not be written has left the chain as it was and may be called
//   again, with the same spans, once there is space. When the last wait for the disk fails, do not.
// Cost: about 40 ns a span, to a file in memory, and one write a block.
class SealedBlocksWriter {
 public:
  static constexpr size_t kMaxBlockSpans = 16384;

  // A new file: kAlreadyExists when there is one, for that may be somebody's evidence.
  static absl::StatusOr<SealedBlocksWriter> Create(const std::string& path,
                                                   FileSystem& files = PosixFiles());

  // One block. kOutOfRange for more than kMaxBlockSpans. `dropped`: lost before these.
  absl::Status AppendSpans(std::span<const SpanRecord> spans, uint64_t dropped = 0);
  // One block. The last names in a file count. kOutOfRange for more than 64 MiB.
  absl::Status AppendNames(const SpanNameTable& names);
  // Writes the end and waits until all is on the disk. Returns the last seal. Nothing may be
  // appended afterwards.
  absl::StatusOr<BlockSeal> Finish();

 private:
  SealedBlocksWriter(std::unique_ptr<File> file, BlockSeal last)
      : file_(std::move(file)), last_(last) {}
  absl::Status Append(uint32_t kind, std::span<const std::byte> payload, uint64_t spans,
                      uint64_t dropped);

  std::unique_ptr<File> file_;
  BlockSeal last_;
  uint64_t offset_ = 0;
  uint64_t blocks_ = 0;
  uint64_t spans_ = 0;
  bool finished_ = false;
  std::vector<std::byte> block_;
};

// A whole file at once. Errors: as of SealedBlocksWriter.
absl::StatusOr<BlockSeal> SaveSealedSpans(const std::string& path, const SpanFile& spans,
                                          FileSystem& files = PosixFiles());

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_SEALED_BLOCKS_H_
