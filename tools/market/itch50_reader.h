// Reads a Nasdaq TotalView-ITCH 5.0 feed.
#ifndef BITACTOR_TOOLS_MARKET_ITCH50_READER_H_
#define BITACTOR_TOOLS_MARKET_ITCH50_READER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "market/byte_source.h"
#include "market/feed_event.h"
#include "market/feed_reader.h"
#include "market/itch50_format.h"

namespace bitactor::market {

class Itch50Reader : public FeedReader {
 public:
  // Refuses an empty source.
  static absl::StatusOr<std::unique_ptr<FeedReader>> Open(std::unique_ptr<ByteSource> source);

  absl::StatusOr<bool> Next(FeedItem* item) override;
  std::string SymbolOf(uint16_t locate) const override;

 private:
  using Symbol = std::array<char, kItch50SymbolBytes>;  // starts with 0: not named yet

  explicit Itch50Reader(std::unique_ptr<ByteSource> source);

  // The message at hand, without its length; empty at the end of the feed or at a fault.
  std::string_view NextMessage();
  // Fills `event` from a message that concerns a book; false if it does not, or at a fault.
  bool Decode(std::string_view message, FeedEvent* event);
  void Learn(uint16_t locate, const char* symbol);
  bool ReadSide(char value, Side* side);
  void Fault(std::string_view what);
  absl::Status ExplainLength(std::string_view at_hand, size_t length);

  ReadBuffer buffer_;
  absl::Status status_;
  std::vector<Symbol> symbols_;  // by locate, up to the highest one that was named
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ITCH50_READER_H_
