// Where a feed's bytes come from: a file, memory, a generator.
#ifndef BITACTOR_TOOLS_MARKET_BYTE_SOURCE_H_
#define BITACTOR_TOOLS_MARKET_BYTE_SOURCE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"

namespace bitactor::market {

// A stream of bytes, read once from its beginning.
// Threads: one.
class ByteSource {
 public:
  static constexpr size_t kMinReadBytes = 64;

  explicit ByteSource(std::string name) : name_(std::move(name)) {}
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // The next bytes, at least one and perhaps fewer than there is room for; 0 at the end.
  // REQUIRES: into.size() >= kMinReadBytes.
  virtual absl::StatusOr<size_t> Read(std::span<std::byte> into) = 0;

  // For messages to people.
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
};

// Errors: as of FileSystem::Open; a directory and a file that cannot be read are refused here.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileSource(FileSystem& files,
                                                           const std::string& path);

class MemorySource : public ByteSource {
 public:
  // `bytes_per_read` limits what one Read() gives, so that a test can cut where it likes.
  MemorySource(std::string name, std::string bytes,
               size_t bytes_per_read = std::numeric_limits<size_t>::max())
      : ByteSource(std::move(name)), bytes_(std::move(bytes)), bytes_per_read_(bytes_per_read) {}

  absl::StatusOr<size_t> Read(std::span<std::byte> into) override {
    const size_t count = std::min({into.size(), bytes_per_read_, bytes_.size() - read_});
    std::memcpy(into.data(), bytes_.data() + read_, count);
    read_ += count;
    return count;
  }

 private:
  const std::string bytes_;
  const size_t bytes_per_read_;
  size_t read_ = 0;
};

// A window over a source, for parsers that look at a few bytes at a time.
// Bounds: one buffer of 256 KiB, whatever the length of the source.
// Threads: one.
class ReadBuffer {
 public:
  static constexpr size_t kBufferBytes = size_t{256} << 10;
  static constexpr size_t kMaxLookaheadBytes = size_t{64} << 10;

  explicit ReadBuffer(std::unique_ptr<ByteSource> source);

  // Whether `count` bytes from the current place are in view(). False at the end of the source or
  // after an error, which status() tells apart. REQUIRES: count <= kMaxLookaheadBytes.
  bool Ensure(size_t count) { return end_ - begin_ >= count || Fill(count); }
  // The bytes at hand; valid until the next Ensure().
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.get()) + begin_, end_ - begin_};
  }
  void Consume(size_t count) {
    begin_ += count;
    offset_ += count;
  }
  // Of view() in the source.
  uint64_t offset() const { return offset_; }
  const std::string& name() const { return source_->name(); }
  const absl::Status& status() const { return status_; }

 private:
  bool Fill(size_t count);

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<std::byte[]> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t offset_ = 0;
  bool at_end_ = false;
  absl::Status status_;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_BYTE_SOURCE_H_
