// L1 alone: a feed handler. Reads a Nasdaq ITCH 5.0 file and keeps the best prices of each stock.
//
//   l1_only FEED
//
// This thread reads and pushes, a second runs the engine, a third the watchdog. Exit code: 0 the
// feed was read to its end, 1 it could not be, 2 wrong use.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/watchdog.h"
#include "itch50_feed.h"

using namespace bitactor;

enum Kind : SignalKind { kOther, kAdd, kExecute, kCancel, kDelete, kReplace, kKinds };
constexpr std::array<const char*, kKinds> kKindNames = {"other",  "add",    "execute",
                                                        "cancel", "delete", "replace"};
struct Order {
  uint32_t shares;
  uint32_t price;  // 1e-4 $
  uint16_t stock;  // its number in this feed
  bool sells;
  std::array<char, 8> name;  // of the stock
};
// What the signals carry: 56 bytes at most.
struct Add {
  uint64_t ref;
  Order order;
};
struct Reduce {
  uint64_t ref;
  uint32_t shares;  // executed or cancelled
};
struct Delete {
  uint64_t ref;
};
struct Replace {
  uint64_t ref;
  uint64_t new_ref;
  uint32_t shares;
  uint32_t price;
};

// All orders, and for each stock the shares at each price. Belongs to the engine's thread.
class Books {
 public:
  void Insert(uint64_t ref, const Order& order) {
    if (order.shares == 0 || !orders_.emplace(ref, order).second) return Wonder();
    Stock& stock = stocks_[order.stock];
    stock.name = order.name;
    stock.shares_at[order.sells][order.price] += order.shares;
  }
  // Takes shares from an order, which goes with its last one; returns it as it was.
  std::optional<Order> Take(uint64_t ref, std::optional<uint32_t> shares = std::nullopt) {
    const auto found = orders_.find(ref);
    if (found == orders_.end()) return Wonder(), std::nullopt;
    const Order was = found->second;
    if (shares > was.shares) Wonder();
    const uint32_t taken = std::min(shares.value_or(was.shares), was.shares);
    auto& shares_at = stocks_[was.stock].shares_at[was.sells];
    if ((shares_at[was.price] -= taken) == 0) shares_at.erase(was.price);
    if ((found->second.shares -= taken) == 0) orders_.erase(found);
    return was;
  }
  void Exchange(const Replace& replace) {
    std::optional<Order> order = Take(replace.ref);
    if (!order.has_value()) return;
    order->shares = replace.shares;
    order->price = replace.price;
    Insert(replace.new_ref, *order);
  }

  std::string Report() const {
    std::string text;
    for (const auto& [number, stock] : stocks_) {
      const auto& [bids, asks] = stock.shares_at;
      for (const char c : stock.name) {
        if (c != ' ') text += absl::ascii_isgraph(static_cast<unsigned char>(c)) ? c : '?';
      }
      text += ":";
      if (!bids.empty()) text += Level(" bid", *bids.rbegin());
      if (!asks.empty()) text += Level(" ask", *asks.begin());
      text += "\n";
    }
    return absl::StrFormat("%s%d orders live, %d changes wondered at\n", text, orders_.size(),
                           wonders_);
  }

 private:
  using SharesAt = std::map<uint32_t, uint64_t>;
  struct Stock {
    std::array<char, 8> name;           // padded with blanks
    std::array<SharesAt, 2> shares_at;  // buyers', sellers'
  };

  static std::string Level(const char* side, const SharesAt::value_type& level) {
    return absl::StrFormat("%s %d x %.4f", side, level.second, level.first / 1e4);
  }
  // At an order that is unknown (normal after a late join), empty or there twice, and at more shares
  // taken than it has.
  void Wonder() { ++wonders_; }

  std::unordered_map<uint64_t, Order> orders_;  // by reference
  std::map<uint16_t, Stock> stocks_;
  uint64_t wonders_ = 0;
};

// Waits while the engine is behind.
template <typename T>
void Push(Engine& engine, Kind kind, const T& value) {
  while (engine.Push(kind, value) == PushResult::kFull) std::this_thread::yield();
}

// To the end of the feed.
absl::Status PushAll(Feed& feed, Engine& engine) {
  for (;;) {
    const absl::StatusOr<std::string_view> message = feed.Next();
    if (!message.ok()) return message.status();
    const std::string_view m = *message;
    if (m.empty()) return absl::OkStatus();
    const uint64_t ref = m.size() >= 19 ? Number(m, 11, 8) : 0;
    switch (m[0]) {
      case 'A':
      case 'F': {
        if (m[19] != 'B' && m[19] != 'S') {
          return feed.Damage(
              absl::StrFormat("side 0x%02x is unknown; allowed are B (0x42) and S "
                              "(0x53)",
                              static_cast<uint8_t>(m[19])));
        }
        Order order{.shares = Number4(m, 20),
                    .price = Number4(m, 32),
                    .stock = static_cast<uint16_t>(Number(m, 1, 2)),
                    .sells = m[19] == 'S',
                    .name = {}};
        m.copy(order.name.data(), order.name.size(), 24);
        Push(engine, kAdd, Add{.ref = ref, .order = order});
        break;
      }
      case 'E':
      case 'C':
        Push(engine, kExecute, Reduce{.ref = ref, .shares = Number4(m, 19)});
        break;
      case 'X':
        Push(engine, kCancel, Reduce{.ref = ref, .shares = Number4(m, 19)});
        break;
      case 'D':
        Push(engine, kDelete, Delete{.ref = ref});
        break;
      case 'U':
        Push(engine, kReplace,
             Replace{.ref = ref,
                     .new_ref = Number(m, 19, 8),
                     .shares = Number4(m, 27),
                     .price = Number4(m, 31)});
        break;
      default:  // of the system, the market, trades that concern no order of a book
        Push(engine, kOther, m[0]);
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: l1_only FEED (a Nasdaq ITCH 5.0 file)\n", stderr);
    return 2;
  }
  absl::StatusOr<Feed> feed = Feed::Open(argv[1]);
  if (!feed.ok()) {
    absl::FPrintF(stderr, "l1_only: %s\n", feed.status().message());
    return 1;
  }

  std::array<Ticks, kKinds> worst;  // of the overruns that are the handler's own
  Engine engine({.on_overrun = [&worst](SignalKind kind, Ticks used) {
    worst[kind] = std::max(worst[kind], used);
  }});
  Books books;
  const auto on = [&engine](Kind kind, SignalHandler handler) {
    engine.On(kind, std::move(handler)).OnOverrun(OverrunPolicy::kReport);
  };
  on(kAdd, [&](const Signal& s, Context&) {
    const auto add = s.As<Add>();
    books.Insert(add.ref, add.order);
  });
  for (const Kind kind : {kExecute, kCancel}) {
    on(kind, [&](const Signal& s, Context&) {
      const auto reduce = s.As<Reduce>();
      books.Take(reduce.ref, reduce.shares);
    });
  }
  on(kDelete, [&](const Signal& s, Context&) { books.Take(s.As<Delete>().ref); });
  on(kReplace, [&](const Signal& s, Context&) { books.Exchange(s.As<Replace>()); });
  engine.Ignore(kOther);  // zero ticks, counted

  // [watchdog]
  Watchdog watchdog(&engine.clock());
  watchdog.Watch("books", &engine.heartbeat(), [](SignalKind kind) { return kKindNames[kind]; });
  std::jthread watching([&](std::stop_token stop) { watchdog.Run(stop); });
  std::jthread running([&](std::stop_token stop) { engine.Run(stop); });
  // [watchdog]
  const absl::Status status = PushAll(*feed, engine);
  for (std::jthread* thread : {&running, &watching}) {  // the engine handles what is queued first
    thread->request_stop();
    thread->join();
  }

  std::fputs(engine.Report().c_str(), stdout);
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (worst[kind] == Ticks()) continue;
    absl::PrintF("overrun of %s: %d ticks at worst\n", kKindNames[kind], worst[kind].count());
  }
  const WatchdogCounters stuck = watchdog.counters();
  absl::PrintF("watchdog: %d handlers stuck, %d reported\n", stuck.stuck, stuck.reported);
  std::fputs(books.Report().c_str(), stdout);
  if (!status.ok()) absl::FPrintF(stderr, "l1_only: %s\n", status.message());
  return status.ok() ? 0 : 1;
}
