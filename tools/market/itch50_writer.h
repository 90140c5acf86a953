// Writes ITCH 5.0 messages, each with its length, into memory.
#ifndef BITACTOR_TOOLS_MARKET_ITCH50_WRITER_H_
#define BITACTOR_TOOLS_MARKET_ITCH50_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "market/feed_event.h"
#include "market/itch50_format.h"

namespace bitactor::market {

// REQUIRES of every message: HasRoom().
class Itch50Writer {
 public:
  explicit Itch50Writer(std::span<std::byte> into) : into_(into) {}

  bool HasRoom() const {
    return into_.size() - size_bytes_ >= kItch50LengthBytes + kItch50MaxMessageBytes;
  }
  size_t size_bytes() const { return size_bytes_; }

  // What all messages have.
  struct Common {
    uint16_t locate;
    uint64_t time_ns;
  };

  void SystemEvent(Common common, char event) {
    Begin('S', common);
    Put<1>(static_cast<uint8_t>(event));
  }
  // A common share in round lots of 100, listed on Nasdaq.
  void StockDirectory(Common common, std::string_view symbol) {
    Begin('R', common);
    PutText(symbol, kItch50SymbolBytes);
    PutText("QN", 2);  // market category, financial status
    Put<4>(100);
    PutText("NCZ PNN1N", 9);
    Put<4>(0);
    PutText("N", 1);
  }
  void TradingAction(Common common, std::string_view symbol, char state) {
    Begin('H', common);
    PutText(symbol, kItch50SymbolBytes);
    Put<1>(static_cast<uint8_t>(state));
    PutText("", 5);
  }
  void ShortSaleRestriction(Common common, std::string_view symbol) {
    Begin('Y', common);
    PutText(symbol, kItch50SymbolBytes);
    PutText("0", 1);
  }
  // With a participant ("" for none) it is an F, else an A.
  void AddOrder(Common common, uint64_t ref, Side side, uint32_t shares, std::string_view symbol,
                uint32_t price, std::string_view participant) {
    Begin(participant.empty() ? 'A' : 'F', common);
    Put<8>(ref);
    PutSide(side);
    Put<4>(shares);
    PutText(symbol, kItch50SymbolBytes);
    Put<4>(price);
    if (!participant.empty()) PutText(participant, 4);
  }
  void Executed(Common common, uint64_t ref, uint32_t shares, uint64_t match) {
    Begin('E', common);
    Put<8>(ref);
    Put<4>(shares);
    Put<8>(match);
  }
  void ExecutedAtPrice(Common common, uint64_t ref, uint32_t shares, uint64_t match,
                       uint32_t price) {
    Begin('C', common);
    Put<8>(ref);
    Put<4>(shares);
    Put<8>(match);
    PutText("Y", 1);
    Put<4>(price);
  }
  void Cancelled(Common common, uint64_t ref, uint32_t shares) {
    Begin('X', common);
    Put<8>(ref);
    Put<4>(shares);
  }
  void Deleted(Common common, uint64_t ref) {
    Begin('D', common);
    Put<8>(ref);
  }
  void Replaced(Common common, uint64_t ref, uint64_t new_ref, uint32_t shares, uint32_t price) {
    Begin('U', common);
    Put<8>(ref);
    Put<8>(new_ref);
    Put<4>(shares);
    Put<4>(price);
  }
  void Trade(Common common, uint32_t shares, std::string_view symbol, uint32_t price,
             uint64_t match) {
    Begin('P', common);
    Put<8>(0);            // the reference of a hidden order is not told
    PutSide(Side::kBuy);  // nor is its side: always B
    Put<4>(shares);
    PutText(symbol, kItch50SymbolBytes);
    Put<4>(price);
    Put<8>(match);
  }

 private:
  void Begin(char type, Common common) {
    Put<2>(internal::kItch50TypesByCharacter[static_cast<uint8_t>(type)].length_bytes);
    Put<1>(static_cast<uint8_t>(type));
    Put<2>(common.locate);
    Put<2>(0);  // tracking number
    Put<6>(common.time_ns);
  }
  template <size_t kBytes>
  void Put(uint64_t value) {
    WriteBigEndian<kBytes>(value, Here());
    size_bytes_ += kBytes;
  }
  void PutSide(Side side) { Put<1>(side == Side::kBuy ? 'B' : 'S'); }
  // Padded with blanks.
  void PutText(std::string_view text, size_t width) {
    std::memset(Here(), ' ', width);
    std::memcpy(Here(), text.data(), text.size());
    size_bytes_ += width;
  }
  char* Here() { return reinterpret_cast<char*>(into_.data()) + size_bytes_; }

  const std::span<std::byte> into_;
  size_t size_bytes_ = 0;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ITCH50_WRITER_H_
