#include "block_walk.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace bitactor::internal {
namespace {

absl::Status ReadAll(const File& file, uint64_t offset, std::span<std::byte> into) {
  absl::StatusOr<size_t> read = file.ReadAt(offset, into);
  if (!read.ok()) return read.status();
  if (*read != into.size()) {
    return absl::DataLossError(absl::StrCat("the file became shorter while it was read: ", *read,
                                            " of ", into.size(), " bytes at byte ", offset,
                                            "; try again when nobody changes it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Block> BlockReader::Read(uint64_t offset) {
  Block block;
  block.offset = offset;
  const uint64_t left = file_bytes_ - offset;
  if (left == 0) return block;
  block.state = Block::State::kCut;
  if (left < kBlockFrameBytes) return block;
  BlockHeader header;
  if (absl::Status s = ReadAll(file_, offset, std::as_writable_bytes(std::span(&header, 1)));
      !s.ok()) {
    return s;
  }
  if (header.payload_bytes > kMaxPayloadBytes || header.payload_bytes > left - kBlockFrameBytes) {
    return block;
  }
  bytes_.resize(kBlockFrameBytes + header.payload_bytes);
  if (absl::Status s = ReadAll(file_, offset, bytes_); !s.ok()) return s;
  const std::span<const std::byte> sealed =
      std::span(bytes_).first(bytes_.size() - sizeof(BlockSeal));
  std::memcpy(&block.header, bytes_.data(), sizeof(block.header));
  std::memcpy(&block.seal, bytes_.data() + sealed.size(), sizeof(block.seal));
  block.payload = sealed.subspan(sizeof(BlockHeader));
  block.state = Blake3(sealed) == block.seal ? Block::State::kIntact : Block::State::kDamaged;
  return block;
}

}  // namespace bitactor::internal
