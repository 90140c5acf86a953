// Bytes of a sealed file; the layout is in sealed_blocks.h.
#ifndef BITACTOR_TRACING_EXPORT_SRC_SEAL_FORMAT_H_
#define BITACTOR_TRACING_EXPORT_SRC_SEAL_FORMAT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "bitactor/tracing_export/sealed_blocks.h"

namespace bitactor::internal {

static_assert(std::endian::native == std::endian::little, "headers are stored as they are");

struct SealedFileHeader {
  char magic[8];
  uint32_t version;
  std::byte zero[52];
};
static_assert(sizeof(SealedFileHeader) == 64);
SealedFileHeader MakeSealedFileHeader();

enum BlockKind : uint32_t { kSpansBlock = 1, kNamesBlock = 2, kEndBlock = 3 };

struct BlockHeader {
  BlockSeal previous;
  uint64_t number;
  uint32_t kind;
  uint32_t payload_bytes;
  uint64_t dropped;
  uint64_t total_spans;
};
static_assert(sizeof(BlockHeader) == 64);
static_assert(std::is_trivially_copyable_v<BlockHeader>);

inline constexpr uint32_t kMaxPayloadBytes = 1u << 26;
inline constexpr size_t kBlockFrameBytes = sizeof(BlockHeader) + sizeof(BlockSeal);

// Threads: any, also at once.
BlockSeal Blake3(std::span<const std::byte> bytes);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_SEAL_FORMAT_H_
