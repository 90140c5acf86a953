// L2 alone: a pipeline of mailboxes. Run it again: the journal "run1" keeps what every run
// delivered.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "bitactor/l2_mailbox/fabric.h"

using namespace bitactor;

struct Trade {
  char symbol[8];
  int64_t cents;
  uint32_t shares, venue;  // 0: not known yet
};

static uint32_t Lookup(const char* symbol) { return symbol[0] <= 'M' ? 1 : 2; }

int main(int argc, char** argv) {
  auto started = Fabric::Start({.shards = 2, .journal_dir = argc > 1 ? argv[1] : "run1"});
  if (!started.ok()) return std::fprintf(stderr, "%s\n", started.status().ToString().c_str()), 1;
  auto fabric = *std::move(started);

  uint64_t kept = 0;                        // the store's shard alone writes it
  Address store = fabric->Intern("store");  // a name becomes an address once, not per message
  Address enrich = fabric->Serve("enrich", [store](const Message& m, Sender& out) {
    auto trade = m.As<Trade>();
    trade.venue = Lookup(trade.symbol);
    out.Send(store, trade);  // same trace, caused by m, CRC sealed in place
  });
  fabric->Serve("store", [&kept](const Message& m, Sender&) { kept += m.As<Trade>().venue != 0; });

  Port port = fabric->OpenPort();  // this thread's own handle
  for (const Trade& trade : {Trade{"AAPL", 18'950, 100, 0}, Trade{"TSLA", 24'210, 40, 0}}) {
    if (port.Send(enrich, trade) == SendResult::kFull)
      return 1;  // retry when the owner has read some
  }
  fabric->WaitIdle();

  const FabricCounters counters = fabric->Counters();
  std::printf(
      "sent %llu, delivered %llu, kept %llu\n", static_cast<unsigned long long>(counters.sent),
      static_cast<unsigned long long>(counters.delivered), static_cast<unsigned long long>(kept));
  for (const SpanRecord& span : fabric->Spans()) {
    std::printf("%s: %u ns\n", fabric->NameOf(ActorId{span.target}).c_str(), span.duration_ns);
  }
  return counters.AddUp() && kept == 2 ? 0 : 1;
}
