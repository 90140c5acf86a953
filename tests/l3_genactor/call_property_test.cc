// Whatever happens, a call ends once: random graphs of calls without timeouts, in which actors crash,
// stop, are killed, answer late, pass answers on, race, and call in rings.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/request_set.h"
#include "bitactor/l3_genactor/system.h"
#include "support/seed.h"

namespace bitactor {
namespace call_property_test {

class Node;
constexpr size_t kNodes = 8;
std::array<Ref<Node>, kNodes> nodes;  // set before the run, on the one thread there is
int64_t waiting = 0;                  // handlers that are suspended
int64_t begun = 0;                    // calls of actors
int64_t ended = 0;                    // with an outcome, or with their caller

struct Go {
  uint64_t plan;
  uint64_t depth;
  using Reply = int64_t;
};
struct Passed {
  ReplyTo<int64_t> to;
};

// Counts a call from its beginning to the end of whoever waits for it.
struct CountedCall {
  CountedCall() { ++begun, ++waiting; }
  ~CountedCall() { ++ended, --waiting; }
  CountedCall(const CountedCall&) = delete;
};

class Node : public Actor<Node, Go, Passed> {
 public:
  Task<void> On(Go m, ReplyTo<int64_t> to) {
    const uint64_t draw = Mix64(m.plan);
    const Ref<Node> other = nodes[draw / 16 % kNodes];
    const Go child{draw, m.depth - 1};
    switch (m.depth == 0 ? draw % 5 : draw % 16) {
      case 0:
        throw std::runtime_error("planned");
      case 1:  // answered when it ends, or when the next one is kept
        Reply(kept_, int64_t{2});
        kept_ = to;
        break;
      case 2:
        Cast(other, Passed{to});
        break;
      case 3:
        Stop();
        break;
      case 4:
        Reply(to, int64_t{1});
        break;
      case 5: {
        co_await Sleep(absl::Microseconds(1 + draw / 1024 % 50));
        Reply(to, int64_t{1});
        break;
      }
      case 6: {  // gives up before the answer may come
        const CountedCall counted;
        (co_await TryCall(other, child, absl::Microseconds(1 + draw / 1024 % 50))).IgnoreError();
        Reply(to, int64_t{1});
        break;
      }
      case 7: {
        const CountedCall counted;
        RequestSet<int64_t> set;
        set.Add(1, other, child, absl::InfiniteDuration()).IgnoreError();
        set.Add(2, nodes[draw / 128 % kNodes], child, absl::InfiniteDuration()).IgnoreError();
        const auto first = co_await set.Next();
        Reply(to, static_cast<int64_t>(first.label));
        break;
      }
      default: {
        const CountedCall counted;
        const absl::StatusOr<int64_t> answer =
            co_await TryCall(other, child, absl::InfiniteDuration());
        if (answer.ok()) {
          Reply(to, *answer + 1);
        } else {
          Reply(to, answer.status());
        }
      }
    }
  }
  void On(const Passed& m) { Reply(m.to, int64_t{3}); }

 private:
  ReplyTo<int64_t> kept_;
};

TEST(CallPropertyTest, EveryCallEndsOnce) {
  std::mt19937_64 random(test::Seed());
  waiting = begun = ended = 0;
  TickClock clock{TickClock::Source::kManual, 5'000};
  SystemOptions options;
  options.shards = 3;
  options.fabric.threads = false;
  options.fabric.clock = &clock;
  options.fabric.start_time_ns = 1'000'000'000;
  options.fabric.span_capacity = 64;
  options.fabric.mailboxes = 12;
  const std::unique_ptr<System> system = System::Start(options).value();
  const auto supervisor = system->Supervise({.max_restarts = 1'000, .within = absl::Seconds(1)});
  std::vector<Handle<Node>> handles(kNodes);
  // Half of them come back by themselves, the others when somebody looks after them.
  const auto spawn = [&](size_t i) {
    const std::string name = "node" + std::to_string(i);
    handles[i] = i % 2 == 0 ? supervisor.Spawn<Node>(name) : system->Spawn<Node>(name);
    nodes[i] = handles[i];
  };
  for (size_t i = 0; i < kNodes; ++i) spawn(i);

  std::vector<PendingCall<int64_t>> calls;
  const int rounds = test::Rounds(1'500);
  for (int round = 0; round < rounds; ++round) {
    const size_t i = random() % kNodes;
    switch (random() % 12) {
      case 0:
        system->Stop(handles[i].ref().address,
                     random() % 2 == 0 ? ExitReason::Kill() : ExitReason::Shutdown());
        break;
      case 1:
        if (!system->Find<Node>("node" + std::to_string(i)).ok()) spawn(i);
        break;
      case 2:
        clock.Advance(random() % 40'000);
        break;
      case 3:
        system->WaitIdle();
        break;
      case 4:
      case 5:
        system->fabric().Poll();
        break;
      default:
        calls.push_back(handles[i].CallAsync(Go{random(), random() % 6}, absl::InfiniteDuration()));
    }
  }
  system->WaitIdle();
  clock.Advance(1'000'000);
  system->fabric().Poll();
  system->WaitIdle();
  const uint64_t cycles =
      system->Counters().dead_letters[static_cast<size_t>(DeadLetterCause::kCycle)];
  // What is open now waits for a ReplyTo that somebody keeps, or for a set of calls: it ends with these
  // actors. Those that come back find the calls that were queued, and may keep them in turn.
  const auto open = [&calls] {
    return std::any_of(calls.begin(), calls.end(), [](const auto& call) { return !call.ready(); });
  };
  for (size_t pass = 0; pass < calls.size() && (waiting > 0 || open()); ++pass) {
    for (const auto& handle : handles) handle.Stop();
    system->WaitIdle();
  }
  EXPECT_EQ(waiting, 0) << "no handler hangs";
  EXPECT_EQ(begun, ended);
  EXPECT_FALSE(open()) << "no call hangs";
  EXPECT_TRUE(system->Counters().AddUp());
  std::printf("%zu calls from outside, %lld between actors, %llu rings\n", calls.size(),
              static_cast<long long>(begun), static_cast<unsigned long long>(cycles));
  EXPECT_GT(begun, rounds / 20) << "the graphs are worth the name";
  EXPECT_GT(cycles, 0u);
}

}  // namespace call_property_test
}  // namespace bitactor
