// Tutorial, step 4: actors that call each other, guarded, and the trace of a message's effects.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

#include "bitactor/l3_genactor/guarded.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/tracing/chrome_export.h"

using namespace bitactor;

struct Take {
  int64_t pieces;
  using Reply = bool;
};

class Stock : public Actor<Stock, Take> {
 public:
  explicit Stock(int64_t pieces) : pieces_(pieces) {}
  bool On(const Take& m) {
    if (m.pieces > pieces_) return false;
    pieces_ -= m.pieces;
    return true;
  }

 private:
  int64_t pieces_;
};

// [coroutine]
struct Purchase {
  Ref<Stock> from;  // 8 bytes: references travel in messages
  int64_t pieces;
  using Reply = bool;
};
struct CarefulPurchase {
  Ref<Stock> from;
  int64_t pieces;
  using Reply = bool;
};

class Shop : public Actor<Shop, Purchase, CarefulPurchase> {
 public:
  Task<bool> On(Purchase m) {  // by value: the message has to outlive the first co_await
    const bool taken = co_await Call(m.from, Take{m.pieces});  // throws CallFailed
    sold_ += taken ? m.pieces : 0;
    co_return taken;
  }
  Task<absl::StatusOr<bool>> On(CarefulPurchase m) {
    auto stock =
        Guarded(m.from, Breaker{.failure_rate = 0.5, .over = 20},
                Retry{.attempts = 4, .base = absl::Microseconds(50)}, Timeout{absl::Seconds(1)});
    const absl::StatusOr<bool> taken = co_await stock.Call(Take{m.pieces});
    if (taken.ok() && *taken) sold_ += m.pieces;
    co_return taken;
  }

 private:
  int64_t sold_ = 0;
};
// [coroutine]

int main() {
  auto system = System::Start({.shards = 2, .durable = "shop"}).value();
  SupervisorRef supervisor = system->Supervise();
  auto screws = supervisor.Spawn<Stock>("screws", Restart::kPermanent, int64_t{100});
  auto shop = supervisor.Spawn<Shop>("shop");
  const absl::StatusOr<bool> bought = shop.Call(Purchase{screws, 60});
  const absl::StatusOr<bool> too_much = shop.Call(CarefulPurchase{screws, 60});
  if (!bought.ok() || !too_much.ok()) return 1;

  // [trace]
  system->WaitIdle();
  std::vector<SpanRecord> spans = system->Spans();  // shard by shard
  std::sort(spans.begin(), spans.end(),
            [](const SpanRecord& a, const SpanRecord& b) { return a.start_ns < b.start_ns; });
  SpanNames names;
  names.actor = [&system](uint32_t id) { return system->fabric().NameOf(ActorId{id}); };
  std::ofstream file("shop.trace.json");
  const absl::Status written = WriteChromeTrace(spans, names, file);
  std::printf("%zu dispatches, first trace:\n", spans.size());
  for (const SpanRecord& span : spans) {
    if (span.trace != spans.front().trace) continue;
    std::printf("  %-6s %u ns\n", names.actor(span.target).c_str(), span.duration_ns);
  }
  // [trace]
  return written.ok() && *bought && !*too_much && spans.size() == 6 ? 0 : 1;
}
