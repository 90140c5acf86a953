#include "market/itch50_generator.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace bitactor::market {
namespace {

constexpr uint64_t kEveningMessages = 3;
constexpr uint64_t kFirstSystemEvents = 1;  // before the directory
constexpr uint64_t kLastSystemEvents = 2;   // behind it
constexpr uint64_t kMaxMessages = 1'000'000'000;
constexpr uint32_t kMaxSymbols = 1'000;
constexpr uint64_t kOpening = 34'200'000'000'000;  // 09:30
// Made up.
constexpr std::array<std::string_view, 20> kNames = {
    "ARDN", "BLUQ", "CORV", "DYNX", "ELMR", "FJRD", "GRVL", "HXON", "IRIQ", "JUNX",
    "KLVR", "LUMQ", "MOSX", "NRTH", "OPLQ", "PYRX", "QUIL", "RVNQ", "SOLQ", "TRVX"};

// A side with fewer orders than this only gets more; a book with more than that gets fewer.
constexpr int kFewOrders = 10;
constexpr int kManyOrders = 180;

uint64_t MorningMessages(uint32_t symbols) {
  return kFirstSystemEvents + 3 * uint64_t{symbols} + kLastSystemEvents;
}

}  // namespace

std::string GeneratedSymbol(uint32_t number) {
  if (number < kNames.size()) return std::string(kNames[number]);
  return absl::StrCat("SYM", number);
}

absl::StatusOr<std::unique_ptr<Itch50Generator>> Itch50Generator::Create(
    const GeneratorOptions& options) {
  if (options.symbols < 1 || options.symbols > kMaxSymbols) {
    return absl::InvalidArgumentError(absl::StrCat("a generated feed of ", options.symbols,
                                                   " symbols; allowed are 1 to ", kMaxSymbols));
  }
  const uint64_t least = MorningMessages(options.symbols) + kEveningMessages;
  if (options.messages < least || options.messages > kMaxMessages) {
    return absl::InvalidArgumentError(absl::StrCat("a generated feed of ", options.messages,
                                                   " messages; allowed are ", least, " (with ",
                                                   options.symbols, " symbols) to ", kMaxMessages));
  }
  return std::unique_ptr<Itch50Generator>(new Itch50Generator(options));
}

Itch50Generator::Itch50Generator(const GeneratorOptions& options)
    : ByteSource(absl::StrCat("generated feed (seed ", options.seed, ")")),
      options_(options),
      random_(options.seed),
      time_ns_(kOpening - 1'000 * MorningMessages(options.symbols)) {
  markets_.reserve(options.symbols);
  for (uint32_t i = 0; i < options.symbols; ++i) {
    // 15 $ to 400 $, in whole cents.
    markets_.emplace_back(100 * static_cast<int64_t>(1'500 + random_.Below(38'500)));
  }
}

absl::StatusOr<size_t> Itch50Generator::Read(std::span<std::byte> into) {
  Itch50Writer out(into);
  while (written_ < options_.messages && out.HasRoom()) {
    NextMessage(out);
    ++written_;
  }
  return out.size_bytes();
}

void Itch50Generator::NextMessage(Itch50Writer& out) {
  if (written_ < MorningMessages(options_.symbols)) {
    time_ns_ += 1'000;
    Morning(out, written_);
  } else if (const uint64_t left = options_.messages - written_; left <= kEveningMessages) {
    // End of market hours, of system hours, of messages.
    out.SystemEvent({.locate = 0, .time_ns = time_ns_}, "CEM"[left - 1]);
  } else {
    // Mostly a pause, sometimes a burst; 20 µs on the average.
    time_ns_ += random_.OneIn(4) ? random_.Below(1'000) : random_.Below(53'000);
    MarketEvent(out);
  }
}

void Itch50Generator::Morning(Itch50Writer& out, uint64_t number) {
  Itch50Writer::Common common{.locate = 0, .time_ns = time_ns_};
  if (number < kFirstSystemEvents) {
    out.SystemEvent(common, 'O');
    return;
  }
  const uint64_t step = (number - kFirstSystemEvents) / options_.symbols;
  const auto symbol = static_cast<uint32_t>((number - kFirstSystemEvents) % options_.symbols);
  common.locate = static_cast<uint16_t>(symbol + 1);
  switch (step) {
    case 0:
      return out.StockDirectory(common, GeneratedSymbol(symbol));
    case 1:
      return out.TradingAction(common, GeneratedSymbol(symbol), 'T');
    case 2:
      return out.ShortSaleRestriction(common, GeneratedSymbol(symbol));
    default:
      common.locate = 0;
      return out.SystemEvent(common, number + 1 == MorningMessages(options_.symbols) ? 'Q' : 'S');
  }
}

void Itch50Generator::MarketEvent(Itch50Writer& out) {
  const uint32_t symbol = random_.Below(options_.symbols);
  const auto locate = static_cast<uint16_t>(symbol + 1);
  GeneratedMarket& market = markets_[symbol];
  // Per mille, about as in a recorded day of a liquid share.
  const uint32_t choice = random_.Below(1'000);
  const bool few =
      market.orders_of(Side::kBuy) < kFewOrders || market.orders_of(Side::kSell) < kFewOrders;
  const bool many = market.live() > kManyOrders && (choice & 1) != 0;
  const bool full = market.live() == GeneratedMarket::kCapacity;
  if (!full && (few || (choice < 480 && !many))) return AddOrder(out, locate, market);
  const Itch50Writer::Common common{.locate = locate, .time_ns = time_ns_};
  if (full || choice < 860) {
    const int slot = market.DrawOrder(random_);
    const GeneratedMarket::Order order = market.order(slot);
    if (choice % 20 == 0 && order.shares > 1) {
      const uint32_t cancelled = 1 + random_.Below(order.shares - 1);
      out.Cancelled(common, order.ref, cancelled);
      market.Take(slot, cancelled);
    } else {
      out.Deleted(common, order.ref);
      market.Take(slot, order.shares);
    }
    return;
  }
  if (choice < 880) return Replace(out, locate, market);
  if (choice < 970) return Execute(out, locate, market, false);
  if (choice < 976) return Execute(out, locate, market, true);
  return HiddenTrade(out, locate, market);
}

uint32_t Itch50Generator::DrawShares() {
  const uint32_t choice = random_.Below(16);
  if (choice < 7) return 100;
  if (choice < 12) return 100 * (2 + random_.Below(9));
  return 1 + random_.Below(choice < 14 ? 99 : 15);
}

void Itch50Generator::AddOrder(Itch50Writer& out, uint16_t locate, GeneratedMarket& market) {
  const bool buys = market.orders_of(Side::kBuy) < kFewOrders    ? true
                    : market.orders_of(Side::kSell) < kFewOrders ? false
                                                                 : random_.OneIn(2);
  const Side side = buys ? Side::kBuy : Side::kSell;
  const int tick = market.DrawTick(side, random_);
  const uint32_t shares = DrawShares();
  const uint64_t ref = next_order_ref_++;
  market.Add(ref, side, tick, shares);
  out.AddOrder({.locate = locate, .time_ns = time_ns_}, ref, side, shares,
               GeneratedSymbol(locate - 1u), market.price(tick), random_.OneIn(24) ? "BTAC" : "");
}

void Itch50Generator::Replace(Itch50Writer& out, uint16_t locate, GeneratedMarket& market) {
  const int slot = market.DrawOrder(random_);
  const GeneratedMarket::Order old = market.order(slot);
  market.Take(slot, old.shares);
  const int tick = market.DrawTick(old.side, random_);
  const uint32_t shares = DrawShares();
  const uint64_t ref = next_order_ref_++;
  market.Add(ref, old.side, tick, shares);
  out.Replaced({.locate = locate, .time_ns = time_ns_}, old.ref, ref, shares, market.price(tick));
}

void Itch50Generator::Execute(Itch50Writer& out, uint16_t locate, GeneratedMarket& market,
                              bool at_other_price) {
  const Side side = market.DrawTakenSide(random_);
  const int slot = market.First(side);
  const GeneratedMarket::Order order = market.order(slot);
  const uint32_t shares = std::min(order.shares, DrawShares());
  market.Take(slot, shares);
  const Itch50Writer::Common common{.locate = locate, .time_ns = time_ns_};
  if (at_other_price) {
    // Half a cent to the better for whoever came in.
    const uint32_t price = market.price(order.tick);
    out.ExecutedAtPrice(common, order.ref, shares, next_match_++,
                        side == Side::kBuy ? price + 50 : price - 50);
  } else {
    out.Executed(common, order.ref, shares, next_match_++);
  }
}

void Itch50Generator::HiddenTrade(Itch50Writer& out, uint16_t locate,
                                  const GeneratedMarket& market) {
  const uint32_t bid = market.price(market.best_bid());
  const uint32_t ask = market.price(market.best_ask());
  out.Trade({.locate = locate, .time_ns = time_ns_}, DrawShares(), GeneratedSymbol(locate - 1u),
            (bid + ask) / 2, next_match_++);
}

absl::Status WriteItch50File(FileSystem& files, const std::string& path,
                             const GeneratorOptions& options) {
  absl::StatusOr<std::unique_ptr<Itch50Generator>> generator = Itch50Generator::Create(options);
  if (!generator.ok()) return generator.status();
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t offset = 0;;) {
    const absl::StatusOr<size_t> count = (*generator)->Read(buffer);
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    if (absl::Status written = (*file)->WriteAt(offset, std::span(buffer).first(*count));
        !written.ok()) {
      return written;
    }
    offset += *count;
  }
}

}  // namespace bitactor::market
