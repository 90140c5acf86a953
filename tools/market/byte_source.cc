#include "market/byte_source.h"

#include "bitactor/l1_core/check.h"

namespace bitactor::market {
namespace {

// Reads by position instead of mapping: a file that shrinks meanwhile ends early, where a mapping
// would end the process.
class FileSource : public ByteSource {
 public:
  FileSource(std::string path, std::unique_ptr<File> file)
      : ByteSource(std::move(path)), file_(std::move(file)) {}

  absl::StatusOr<size_t> Read(std::span<std::byte> into) override {
    absl::StatusOr<size_t> count = file_->ReadAt(offset_, into);
    if (count.ok()) offset_ += *count;
    return count;
  }

 private:
  const std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileSource(FileSystem& files,
                                                           const std::string& path) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  return std::make_unique<FileSource>(path, *std::move(file));
}

ReadBuffer::ReadBuffer(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)),
      bytes_(std::make_unique_for_overwrite<std::byte[]>(kBufferBytes)) {}

bool ReadBuffer::Fill(size_t count) {
  BITACTOR_CHECK_LE(count, kMaxLookaheadBytes);
  if (kBufferBytes - begin_ < count + ByteSource::kMinReadBytes) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < count && !at_end_) {
    const absl::StatusOr<size_t> read = source_->Read({bytes_.get() + end_, kBufferBytes - end_});
    if (!read.ok()) status_ = read.status();
    at_end_ = !read.ok() || *read == 0;
    if (read.ok()) end_ += *read;
  }
  return end_ - begin_ >= count;
}

}  // namespace bitactor::market
