#include "seal_format.h"

#include <blake3.h>

#include <cstring>

namespace bitactor::internal {
namespace {

static_assert(sizeof(BlockSeal) == BLAKE3_OUT_LEN);

BlockSeal Hash(std::span<const std::byte> bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  BlockSeal seal;
  blake3_hasher_finalize(&hasher, reinterpret_cast<uint8_t*>(seal.bytes.data()), seal.bytes.size());
  return seal;
}

}  // namespace

SealedFileHeader MakeSealedFileHeader() {
  SealedFileHeader header{};
  std::memcpy(header.magic, kSealedFileMagic.data(), sizeof(header.magic));
  header.version = kSealedFileVersion;
  return header;
}

BlockSeal Blake3(std::span<const std::byte> bytes) {
  // The first call of the library finds out about the processor and keeps that in a plain variable:
  // it must not race with another one.
  static const BlockSeal first = Hash({});
  return bytes.empty() ? first : Hash(bytes);
}

}  // namespace bitactor::internal
