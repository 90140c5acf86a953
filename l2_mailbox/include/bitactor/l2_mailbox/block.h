// A payload over 128 bytes: filled in place, sealed, then shared by all who send or keep it.
#ifndef BITACTOR_L2_MAILBOX_BLOCK_H_
#define BITACTOR_L2_MAILBOX_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/block_pool.h"

namespace bitactor {

// Bytes that do not change any more, in the memory of a fabric's pool. Copies share them; a copy
// kept beyond a handler keeps the bytes, and their room in the pool.
//
// Threads: as a std::shared_ptr: copies may be used by different threads, one object by one.
// Ownership: shared; may outlive the fabric.
class SharedBlock {
 public:
  SharedBlock() = default;
  SharedBlock(const SharedBlock& other) : pool_(other.pool_), handle_(other.handle_) {
    if (pool_ != nullptr) pool_->AddReference(handle_);
  }
  SharedBlock(SharedBlock&& other) noexcept
      : pool_(std::move(other.pool_)), handle_(std::exchange(other.handle_, {})) {}
  SharedBlock& operator=(SharedBlock other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~SharedBlock() {
    if (pool_ != nullptr) pool_->Drop(handle_);
  }

  bool ok() const { return pool_ != nullptr; }
  // None, if it is not ok().
  std::span<const std::byte> bytes() const {
    if (pool_ == nullptr) return {};
    return pool_->BytesOf(handle_);
  }
  // CRC-32C of the bytes, as its maker sealed them.
  uint32_t crc32c() const { return pool_ != nullptr ? pool_->ChecksumOf(handle_) : 0; }

  // Takes over a reference that somebody else had, such as a frame.
  static SharedBlock Adopt(std::shared_ptr<internal::BlockPool> pool,
                           internal::BlockHandle handle) {
    return SharedBlock(std::move(pool), handle);
  }
  // Leaves its reference to somebody else, such as a frame.
  void Release() && { pool_ = nullptr; }
  internal::BlockHandle handle() const { return handle_; }
  bool IsIn(const internal::BlockPool& pool) const { return pool_.get() == &pool; }

 private:
  friend class Block;

  SharedBlock(std::shared_ptr<internal::BlockPool> pool, internal::BlockHandle handle)
      : pool_(std::move(pool)), handle_(handle) {}

  std::shared_ptr<internal::BlockPool> pool_;
  internal::BlockHandle handle_;
};

// A block while it is filled; nobody else sees it.
class Block {
 public:
  // kInvalidArgument: no bytes, or more than a block or this pool can have; kResourceExhausted: too
  // many are in use now.
  static absl::StatusOr<Block> Make(const std::shared_ptr<internal::BlockPool>& pool,
                                    size_t size_bytes);
  Block(Block&&) noexcept = default;
  Block& operator=(Block&&) noexcept = default;

  // Undefined content at first; none after Seal().
  std::span<std::byte> bytes() {
    if (!block_.ok()) return {};
    return block_.pool_->BytesOf(block_.handle_);
  }
  // Ends the filling: computes the checksum that goes with the bytes from here on. Whatever still
  // points to them must not be written through.
  SharedBlock Seal() {
    if (block_.ok()) block_.pool_->Seal(block_.handle_);
    return std::move(block_);
  }

 private:
  explicit Block(SharedBlock block) : block_(std::move(block)) {}

  SharedBlock block_;
};

// What FrameHeader::type holds of bytes under the name of `Tag`, which is any type with a name of
// its own: never that of a Tag itself.
template <typename Tag>
constexpr uint32_t BytesTypeId() {
  const auto id = static_cast<uint32_t>(Mix64(uint64_t{TypeId<Tag>()} << 32 | 0xB10C));
  return id != 0 ? id : 1;
}

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_BLOCK_H_
