// Reads a LOBSTER message file, and in step with it, if given, the order book file.
#ifndef BITACTOR_TOOLS_MARKET_LOBSTER_READER_H_
#define BITACTOR_TOOLS_MARKET_LOBSTER_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "market/byte_source.h"
#include "market/feed_event.h"
#include "market/feed_reader.h"

namespace bitactor::market {

// The symbol comes from the file's name: GOOG of lobster_GOOG_2012-06-21_message_1.csv or of
// GOOG_2012-06-21_…, else "LOBSTER". Its locate is 1.
class LobsterReader : public FeedReader {
 public:
  static constexpr uint16_t kLocate = 1;
  // A line of the deepest book on offer, 200 levels, has less than 10,000 characters.
  static constexpr size_t kMaxLineBytes = size_t{16} << 10;

  // `book` may be nullptr. Of its columns the first four are used. Refuses an empty source.
  static absl::StatusOr<std::unique_ptr<FeedReader>> Open(std::unique_ptr<ByteSource> messages,
                                                          std::unique_ptr<ByteSource> book);

  absl::StatusOr<bool> Next(FeedItem* item) override;
  std::string SymbolOf(uint16_t locate) const override;

 private:
  LobsterReader(std::unique_ptr<ByteSource> messages, std::unique_ptr<ByteSource> book);

  // The next line of `buffer` without its end, which Consume() then has to take: `*stored_bytes`.
  // False at the end of the file or at a fault.
  bool NextLine(ReadBuffer& buffer, std::string_view* line, size_t* stored_bytes);
  bool ReadRow(BookRow* row);
  bool DecodeMessage(std::string_view line, FeedEvent* event);
  bool DecodeRow(std::string_view line, BookRow* row);
  bool CheckBookEndsToo();

  // Both give false, so that a decoder can return them.
  bool Fault(const ReadBuffer& buffer, std::string_view what);
  bool FieldFault(const ReadBuffer& buffer, std::string_view field, std::string_view value,
                  std::string_view allowed);

  ReadBuffer messages_;
  std::unique_ptr<ReadBuffer> book_;
  const std::string symbol_;
  absl::Status status_;
};

// What LobsterReader takes the symbol to be for a message file of this path.
std::string LobsterSymbol(std::string_view path);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_LOBSTER_READER_H_
