// A made-up trading day: a valid ITCH 5.0 feed from a seed.
#ifndef BITACTOR_TOOLS_MARKET_ITCH50_GENERATOR_H_
#define BITACTOR_TOOLS_MARKET_ITCH50_GENERATOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "market/byte_source.h"
#include "market/generated_market.h"
#include "market/itch50_writer.h"
#include "market/random_bits.h"

namespace bitactor::market {

struct GeneratorOptions {
  uint64_t seed = 1;
  uint64_t messages = 1'000'000;  // at least 6 and 3 for each symbol, at most 1,000,000,000
  uint32_t symbols = 20;          // 1 to 1,000
};

// The day starts with system events, then directory, trading state and short sale restriction of
// each symbol; then orders; then the system events of the evening. Every reference is to a live
// order, executions take the oldest order at the best price, and no book is ever crossed or locked.
// Order: time never runs back; two feeds of one seed and number of symbols are equal up to the
//   evening of the shorter one. The same bytes on every machine.
// Threads: one.
// Bounds: a book has at most 512 orders.
// Cost: about 0.1 µs a message.
class Itch50Generator : public ByteSource {
 public:
  static absl::StatusOr<std::unique_ptr<Itch50Generator>> Create(const GeneratorOptions& options);

  absl::StatusOr<size_t> Read(std::span<std::byte> into) override;

 private:
  explicit Itch50Generator(const GeneratorOptions& options);

  // Write one message.
  void NextMessage(Itch50Writer& out);
  void Morning(Itch50Writer& out, uint64_t number);
  void MarketEvent(Itch50Writer& out);
  void AddOrder(Itch50Writer& out, uint16_t locate, GeneratedMarket& market);
  void Replace(Itch50Writer& out, uint16_t locate, GeneratedMarket& market);
  void Execute(Itch50Writer& out, uint16_t locate, GeneratedMarket& market, bool at_other_price);
  void HiddenTrade(Itch50Writer& out, uint16_t locate, const GeneratedMarket& market);
  uint32_t DrawShares();

  const GeneratorOptions options_;
  RandomBits random_;
  std::vector<GeneratedMarket> markets_;  // by locate - 1
  uint64_t written_ = 0;                  // messages
  uint64_t time_ns_;
  uint64_t next_order_ref_ = 1;
  uint64_t next_match_ = 1;
};

// Writes the whole feed to `path`, which is made or emptied.
absl::Status WriteItch50File(FileSystem& files, const std::string& path,
                             const GeneratorOptions& options);

// The name of the symbol `number` (from 0) of a generated feed.
std::string GeneratedSymbol(uint32_t number);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ITCH50_GENERATOR_H_
