// Blocks of a sealed file, read one by one.
#ifndef BITACTOR_TRACING_EXPORT_SRC_BLOCK_WALK_H_
#define BITACTOR_TRACING_EXPORT_SRC_BLOCK_WALK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "seal_format.h"

namespace bitactor::internal {

struct Block {
  enum class State : uint8_t {
    kNone,     // the file ends before it
    kCut,      // the file ends within it, or its size is wrong
    kDamaged,  // its seal is not that of its bytes
    kIntact,
  };

  State state = State::kNone;
  uint64_t offset = 0;
  BlockHeader header{};                // unless kNone or kCut
  std::span<const std::byte> payload;  // unless kNone or kCut; until the next Read()
  BlockSeal seal;                      // unless kNone or kCut

  uint64_t end() const { return offset + kBlockFrameBytes + payload.size(); }
  // Whether it is whole and the one with this number in the chain.
  bool Continues(uint64_t number, const BlockSeal& previous) const {
    return state == State::kIntact && header.number == number && header.previous == previous;
  }
};

class BlockReader {
 public:
  BlockReader(const File& file, uint64_t file_bytes) : file_(file), file_bytes_(file_bytes) {}

  uint64_t file_bytes() const { return file_bytes_; }
  // Takes memory only for bytes that are there. Errors: those of File.
  absl::StatusOr<Block> Read(uint64_t offset);

 private:
  const File& file_;
  const uint64_t file_bytes_;
  std::vector<std::byte> bytes_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_BLOCK_WALK_H_
