// The messages of a Nasdaq ITCH 5.0 file, for l1_only.cc.
#ifndef BITACTOR_EXAMPLES_ITCH50_FEED_H_
#define BITACTOR_EXAMPLES_ITCH50_FEED_H_

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
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/file.h"

namespace bitactor {

// A file repeats: length (2 bytes, big-endian), so many bytes, the first of which is the type.
//
// Threads: one.
// Bounds: 256 KiB, whatever the length of the file.
// Errors: as of FileSystem::Open and File::ReadAt; kDataLoss for bytes that are no message, with
//   offset, value, what is allowed and what to do. All messages before them were given.
class Feed {
 public:
  static absl::StatusOr<Feed> Open(const std::string& path) {
    auto file = PosixFiles().Open(path, FileSystem::OpenMode::kRead);
    if (!file.ok()) return file.status();
    return Feed(path, *std::move(file));
  }

  // The next message, until the next call; empty at the end of the file.
  absl::StatusOr<std::string_view> Next() {
    offset_ += std::exchange(taken_, 0);
    if (begin_ + kLongest > window_.size() && !at_end_) {
      window_.resize(kWindowBytes);
      const auto read = file_->ReadAt(offset_, std::as_writable_bytes(std::span(window_)));
      if (!read.ok()) return read.status();
      at_end_ = *read < kWindowBytes;
      window_.resize(*read);
      begin_ = 0;
    }
    const auto rest = std::string_view(window_.data(), window_.size()).substr(begin_);
    if (rest.empty() && offset_ > 0) return rest;
    ++messages_;
    if (rest.size() < 3) {
      return Damage(
          absl::StrCat("the file ends within the length and type of a message: 3 bytes "
                       "expected, ",
                       rest.size(), " are there"));
    }
    const size_t length = static_cast<uint8_t>(rest[0]) << 8 | static_cast<uint8_t>(rest[1]);
    const size_t type = kTypes.find(rest[2]);
    if (type == std::string_view::npos) {
      return Damage(absl::StrFormat("type 0x%02x is unknown; allowed are %s",
                                    static_cast<uint8_t>(rest[2]), std::string(kTypes)));
    }
    if (length != kLengths[type]) {
      return Damage(absl::StrCat("length ", length, " is impossible; messages of type ",
                                 std::string(1, rest[2]), " have ", kLengths[type], " bytes"));
    }
    if (rest.size() - 2 < length) {
      return Damage(absl::StrCat("the file ends within this message: ", length, " bytes expected, ",
                                 rest.size() - 2, " are there"));
    }
    taken_ = 2 + length;
    begin_ += taken_;
    return rest.substr(2, length);
  }
  // What is wrong with the last message, where, and what to do.
  absl::Status Damage(std::string_view what) const {
    return absl::DataLossError(
        absl::StrFormat("%s: offset %d: message %d: %s; is this an ITCH 5.0 file? If so, fetch it "
                        "again: all before this message is in the books",
                        path_, offset_, messages_, std::string(what)));
  }

 private:
  static constexpr size_t kWindowBytes = 256 << 10;
  static constexpr size_t kLongest = 2 + 50;
  static constexpr std::string_view kTypes = "SRHYLVWKJhAFECXDUPQBINO";
  static constexpr std::array<uint8_t, kTypes.size()> kLengths = {
      12, 39, 25, 20, 26, 35, 12, 28, 35, 21, 36, 40, 31, 36, 23, 19, 35, 44, 40, 19, 50, 20, 48};

  Feed(std::string path, std::unique_ptr<File> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  std::unique_ptr<File> file_;
  std::vector<char> window_;  // of the file
  size_t begin_ = 0;          // in it, of the next message
  uint64_t offset_ = 0;       // in the file, of the last message
  size_t taken_ = 0;          // bytes of it
  uint64_t messages_ = 0;
  bool at_end_ = false;
};

// The big-endian number in so many bytes of a message.
inline uint64_t Number(std::string_view message, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (const char c : message.substr(at, bytes)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}
inline uint32_t Number4(std::string_view message, size_t at) {
  return static_cast<uint32_t>(Number(message, at, 4));
}

}  // namespace bitactor

#endif  // BITACTOR_EXAMPLES_ITCH50_FEED_H_
