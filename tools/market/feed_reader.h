// Reading a recorded feed, whatever its format.
#ifndef BITACTOR_TOOLS_MARKET_FEED_READER_H_
#define BITACTOR_TOOLS_MARKET_FEED_READER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "market/feed_event.h"

namespace bitactor::market {

enum class FeedFormat : uint8_t { kItch50, kLobster };

// "itch50" or "lobster"; kInvalidArgument names both.
absl::StatusOr<FeedFormat> ParseFeedFormat(std::string_view name);

struct FeedItem {
  FeedEvent event;
  std::optional<BookRow> row;  // with a book file only: the book after `event`
};

struct FeedCounts {
  uint64_t messages = 0;                   // all that were read, those without an item included
  uint64_t bytes = 0;                      // of the feed file
  uint64_t market_wide = 0;                // of `messages`, those of no symbol
  std::array<uint64_t, 256> by_type = {};  // by the type's character: 'A', or '1' in LOBSTER
};

// Order: of the feed; FeedItem::event.sequence counts its messages from 1, and messages that
//   concern no book are counted but give no item.
// Threads: one.
// Bounds: 256 KiB a file, whatever its length.
// Errors: kInvalidArgument for a wrong use, kDataLoss for bad bytes, with file, offset, message,
//   value, what is allowed and what to do. All items before the fault are delivered first.
class FeedReader {
 public:
  virtual ~FeedReader() = default;
  FeedReader(const FeedReader&) = delete;
  FeedReader& operator=(const FeedReader&) = delete;

  // True with the next item, false at the end of the feed. After an error, that error for good.
  virtual absl::StatusOr<bool> Next(FeedItem* item) = 0;

  // As known so far; "#13" for a symbol that was never named.
  virtual std::string SymbolOf(uint16_t locate) const = 0;

  const FeedCounts& counts() const { return counts_; }

 protected:
  FeedReader() = default;

  FeedCounts counts_;
};

// `book_path` is LOBSTER's order book file, or empty.
absl::StatusOr<std::unique_ptr<FeedReader>> OpenFeed(FileSystem& files, FeedFormat format,
                                                     const std::string& path,
                                                     const std::string& book_path = "");

// What bytes at the start of a file look like, for the error that suggests another format.
bool LooksLikeItch50(std::string_view bytes);
bool LooksLikeLobster(std::string_view bytes);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_FEED_READER_H_
