#include "market/feed_reader.h"

#include "absl/strings/str_cat.h"
#include "market/byte_source.h"
#include "market/itch50_format.h"
#include "market/itch50_reader.h"
#include "market/lobster_reader.h"

namespace bitactor::market {

absl::StatusOr<FeedFormat> ParseFeedFormat(std::string_view name) {
  if (name == "itch50") return FeedFormat::kItch50;
  if (name == "lobster") return FeedFormat::kLobster;
  return absl::InvalidArgumentError(absl::StrCat(
      "--format ", std::string(name),
      ": is unknown; allowed are itch50 (Nasdaq TotalView-ITCH 5.0) and lobster (LOBSTER CSV)"));
}

absl::StatusOr<std::unique_ptr<FeedReader>> OpenFeed(FileSystem& files, FeedFormat format,
                                                     const std::string& path,
                                                     const std::string& book_path) {
  if (format == FeedFormat::kItch50 && !book_path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--book ", book_path,
        ": an ITCH 5.0 feed has no book file; leave --book out, or use --format lobster"));
  }
  absl::StatusOr<std::unique_ptr<ByteSource>> feed = OpenFileSource(files, path);
  if (!feed.ok()) return feed.status();
  if (format == FeedFormat::kItch50) return Itch50Reader::Open(*std::move(feed));
  std::unique_ptr<ByteSource> book;
  if (!book_path.empty()) {
    absl::StatusOr<std::unique_ptr<ByteSource>> opened = OpenFileSource(files, book_path);
    if (!opened.ok()) return opened.status();
    book = *std::move(opened);
  }
  return LobsterReader::Open(*std::move(feed), std::move(book));
}

bool LooksLikeItch50(std::string_view bytes) {
  if (bytes.size() < 3) return false;
  const Itch50Type* type = FindItch50Type(static_cast<uint8_t>(bytes[2]));
  return type != nullptr && ReadBigEndian<2>(bytes.data()) == type->length_bytes;
}

bool LooksLikeLobster(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  return line.size() <= 256 && line.find(',') != std::string_view::npos &&
         line.find_first_not_of("0123456789.,-\r") == std::string_view::npos;
}

}  // namespace bitactor::market
