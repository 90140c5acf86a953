// Tutorial, step 5: the state before any message, and a test that owns time and threads.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

struct Receive {
  int64_t pieces;
};
struct Reserve {
  int64_t pieces;
};
struct OnHand {
  using Reply = int64_t;
};

// [sleep]
class Stock : public Actor<Stock, Receive, Reserve, OnHand> {
 public:
  void On(const Receive& m) { pieces_ += m.pieces; }
  Task<void> On(Reserve m) {
    pieces_ -= m.pieces;
    co_await Sleep(absl::Minutes(15));
    pieces_ += m.pieces;  // nobody came
  }
  int64_t On(const OnHand&) { return pieces_; }
  int64_t pieces() const { return pieces_; }

 private:
  int64_t pieces_ = 0;
};
// [sleep]

// [test]
bool AReservationEndsAfterAQuarterOfAnHour() {
  TickClock clock(TickClock::Source::kManual);
  SystemOptions options;
  options.fabric.threads = false;  // calls and WaitIdle() drive the shards on this thread
  options.fabric.clock = &clock;
  options.fabric.start_time_ns = 1'000'000'000;
  options.durable = "reserved";
  auto system = System::Start(options).value();
  auto screws = system->Spawn<Stock>("screws");
  screws.Cast(Receive{100});
  screws.Cast(Reserve{30});
  system->WaitIdle();
  int64_t reserved = 0;
  system->Inspect<Stock>("screws", [&](const Stock& stock) { reserved = 100 - stock.pieces(); });
  clock.Advance(uint64_t{16} * 60 * 1'000'000'000);
  system->fabric().Poll();  // the timer sends its message
  return reserved == 30 && screws.Call(OnHand{}).value() == 100;
}
// [test]

// [replay]
absl::StatusOr<std::vector<int64_t>> PiecesBeforeEachMessage() {
  std::vector<Place> places;
  absl::Status scanned = ScanJournals(PosixFiles(), "reserved", [&](const RecoveredFrame& frame) {
    if (frame.frame.header.kind != FrameKind::kSystem) {
      places.push_back({frame.journal, frame.position});
    }
    return true;
  });
  if (!scanned.ok()) return scanned;
  std::vector<int64_t> pieces;
  for (const Place& place : places) {
    auto past = System::Replay({.journal_dir = "reserved", .until = place});
    if (!past.ok()) return past.status();
    if (auto screws = (*past)->Spawn<Stock>("screws"); !screws.ok()) return screws.status();
    (*past)->Inspect<Stock>("screws", [&](const Stock& s) { pieces.push_back(s.pieces()); });
  }
  return pieces;
}
// [replay]

int main() {
  if (!AReservationEndsAfterAQuarterOfAnHour()) return 1;
  const absl::StatusOr<std::vector<int64_t>> pieces = PiecesBeforeEachMessage();
  if (!pieces.ok()) {
    std::fprintf(stderr, "%s\n", pieces.status().ToString().c_str());
    return 1;
  }
  for (const int64_t n : *pieces) std::printf("%lld\n", static_cast<long long>(n));
  return *pieces == std::vector<int64_t>{0, 100, 70, 100} ? 0 : 1;
}
