// L2 alone: trades from a text file through three mailboxes, without actors: `parse` makes a trade of a
// line, `value` multiplies, `ledger` sums up and answers. Each stage may be on another shard; what a
// line caused arrives in the order of the lines all the same.
//
//   l2_only FILE [JOURNAL_DIR]     lines: SYMBOL,PRICE,SHARES, such as AAPL,189.50,100
//
// Exit codes: 0 all lines are trades; 1 some are not, or something went wrong; 2 wrong use.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "bitactor/l2_mailbox/fabric.h"

using namespace bitactor;

// Messages are plain structs of at most 128 bytes.
struct Line {
  uint32_t number;
  uint32_t size;  // of the whole line; what is over 112 bytes is no trade
  char text[112];
};
struct Trade {
  char symbol[8];  // zeros behind it
  int64_t cents, shares;
};
struct Value {
  char symbol[8];
  int64_t cents;
};
struct WrongLine {
  uint32_t number;
};
struct Total {  // asked with a symbol, answered with all
  char symbol[8];
  int64_t cents;
  uint64_t trades;
};

constexpr int64_t kCentsMax = 100'000'000, kSharesMax = 1'000'000'000;  // the product fits

// The number that `text` is, whole, from 1 to `max`; or 0.
static int64_t Number(std::string_view text, int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 1 && value <= max ? value : 0;
}

static bool IsSymbol(std::string_view text) {
  return !text.empty() && text.size() <= sizeof(Trade::symbol) &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// False: it is no trade.
static bool Parse(std::string_view line, Trade& trade) {
  const size_t comma = line.find(',');
  if (!IsSymbol(line.substr(0, comma)) || comma == line.npos) return false;
  const std::string_view rest = line.substr(comma + 1);
  const size_t dot = rest.find('.');
  const size_t comma2 = rest.find(',');
  if (dot == 0 || comma2 == rest.npos || dot + 3 != comma2) return false;
  std::memcpy(trade.symbol, line.data(), comma);
  std::string cents(rest.substr(0, comma2));
  cents.erase(dot, 1);
  trade.cents = Number(cents, kCentsMax);
  trade.shares = Number(rest.substr(comma2 + 1), kSharesMax);
  return trade.cents != 0 && trade.shares != 0;
}

static std::string SymbolOf(const char (&symbol)[8]) {
  return std::string(symbol, strnlen(symbol, sizeof(symbol)));
}

static int Fail(const char* what, const std::string& why) {
  return std::fprintf(stderr, "l2_only: %s: %s\n", what, why.c_str()), 1;
}

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    return std::fprintf(stderr, "usage: l2_only FILE [JOURNAL_DIR]\n"), 2;
  }
  std::ifstream file(argv[1]);
  if (!file) return std::fprintf(stderr, "l2_only: cannot read %s\n", argv[1]), 2;
  auto started = Fabric::Start({.shards = 3, .journal_dir = argc > 2 ? argv[2] : ""});
  if (!started.ok()) return Fail("the fabric", started.status().ToString());
  auto fabric = *std::move(started);

  std::map<std::string, Total> totals;  // the ledger's shard alone touches these
  uint32_t wrong = 0, first_wrong = 0;
  const Address ledger = fabric->Serve("ledger", [&](const Message& m, Sender& out) {
    if (m.Is<WrongLine>()) {
      if (wrong++ == 0) first_wrong = m.As<WrongLine>().number;
    } else if (m.Is<Value>()) {
      const auto value = m.As<Value>();
      Total& total = totals[SymbolOf(value.symbol)];
      total.cents += value.cents;
      ++total.trades;
    } else {
      auto total = m.As<Total>();
      const Total& sum = totals[SymbolOf(total.symbol)];
      total.cents = sum.cents;
      total.trades = sum.trades;
      out.Reply(total);
    }
  });
  const Address value = fabric->Serve("value", [ledger](const Message& m, Sender& out) {
    const auto trade = m.As<Trade>();
    Value product{{}, trade.cents * trade.shares};
    std::memcpy(product.symbol, trade.symbol, sizeof(product.symbol));
    out.Send(ledger, product);
  });
  const Address parse = fabric->Serve("parse", [ledger, value](const Message& m, Sender& out) {
    const auto line = m.As<Line>();
    Trade trade{};
    if (line.size <= sizeof(line.text) && Parse({line.text, line.size}, trade)) {
      out.Send(value, trade);
    } else {
      out.Send(ledger, WrongLine{line.number});
    }
  });

  Port port = fabric->OpenPort();
  std::set<std::string> symbols;
  std::string text;
  uint32_t lines = 0;
  while (std::getline(file, text)) {
    Line line{++lines, static_cast<uint32_t>(text.size()), {}};
    std::memcpy(line.text, text.data(), std::min(text.size(), sizeof(line.text)));
    SendResult result;
    while ((result = port.Post(parse, line)) == SendResult::kFull) {
      port.Flush();  // the lane is full: what is posted becomes visible, and the shard gets its time
      std::this_thread::yield();
    }
    if (result != SendResult::kOk) return Fail("a line", SendResultName(result));
    const std::string symbol = text.substr(0, text.find(','));
    if (IsSymbol(symbol)) symbols.insert(symbol);
  }
  port.Flush();
  fabric->WaitIdle();

  for (const std::string& symbol : symbols) {
    Total ask{};
    std::memcpy(ask.symbol, symbol.data(), symbol.size());
    const absl::StatusOr<Frame> answer = port.Call(ledger, ask, 5'000'000'000);
    if (!answer.ok()) return Fail("the ledger", answer.status().ToString());
    const auto total = Message(*answer).As<Total>();
    if (total.trades == 0) continue;  // named in wrong lines only
    std::printf("%s: %llu trades, %lld.%02lld\n", symbol.c_str(),
                static_cast<unsigned long long>(total.trades),
                static_cast<long long>(total.cents / 100),
                static_cast<long long>(total.cents % 100));
  }
  const FabricCounters counters = fabric->Counters();
  if (absl::Status status = fabric->Stop(); !status.ok()) return Fail("stop", status.ToString());
  std::printf("%u lines, %u of them wrong", lines, wrong);
  if (wrong != 0) std::printf(", the first is line %u", first_wrong);
  std::printf("\n%llu messages delivered, %llu lost\n",
              static_cast<unsigned long long>(counters.delivered),
              static_cast<unsigned long long>(counters.dead_letters_total()));
  if (!counters.AddUp()) return Fail("the counters", "they do not add up");
  return wrong == 0 && counters.dead_letters_total() == 0 ? 0 : 1;
}
