// A program outside this repository that uses the installed l2_mailbox and links nothing else: a
// pipeline of two mailboxes on two shards, fed by this thread.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>

#include "bitactor/l2_mailbox/fabric.h"

struct Trade {
  int64_t shares = 0;
  int64_t price = 0;
};

namespace {

int Fail(const std::string& what) {
  std::fprintf(stderr, "l2_mailbox consumer: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main() {
  auto started = bitactor::Fabric::Start({.shards = 2});
  if (!started.ok()) return Fail(started.status().ToString());
  bitactor::Fabric& fabric = **started;

  std::atomic<int64_t> turnover{0};
  const bitactor::Address store = fabric.Intern("store");
  const bitactor::Address enrich =
      fabric.Serve("enrich", [store](const bitactor::Message& message, bitactor::Sender& out) {
        auto trade = message.As<Trade>();
        trade.price = 3;
        out.Send(store, trade);
      });
  fabric.Serve("store", [&turnover](const bitactor::Message& message, bitactor::Sender&) {
    const auto trade = message.As<Trade>();
    turnover += trade.shares * trade.price;
  });

  {
    bitactor::Port port = fabric.OpenPort();
    for (int64_t shares = 1; shares <= 100; ++shares) {
      if (port.Send(enrich, Trade{.shares = shares}) != bitactor::SendResult::kOk)
        return Fail("a lane of 1,024 slots refused one of 100 messages");
    }
  }
  fabric.WaitIdle();
  const bitactor::FabricCounters counters = fabric.Counters();
  if (turnover != 3 * 5050) return Fail("turnover " + std::to_string(turnover) + ", not 15150");
  if (counters.delivered != 200) return Fail("100 messages over two hops were not 200 deliveries");
  if (!counters.AddUp()) return Fail("the counters do not add up");
  if (auto stopped = fabric.Stop(); !stopped.ok()) return Fail(stopped.ToString());
  std::puts("l2_mailbox consumer: ok");
  return 0;
}
