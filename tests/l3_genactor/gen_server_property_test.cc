// Random programs of actors with links, monitors, timers, silence and messages to go on with, that
// crash, stop and are killed: at any moment the state in the run, in a replay of its journals and
// after a new start of the program is the same.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>

#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace gen_server_property_test {

constexpr uint32_t kActors = 5;

struct Act {
  uint64_t value;
  uint64_t left;  // how many of these may follow
};
struct Tick {
  uint64_t value;
};
struct Nap {
  uint64_t value;
};

struct Setting {
  uint32_t index = 0;
  std::array<Address, kActors> all{};
};

template <bool kSmall>
class Node;
using AnyNode = Node<true>;  // messages name this class; both kinds handle the same ones

// All that it does is a function of the message's value; all that comes changes its sum, in order.
template <bool kSmall>
class Node : public Actor<Node<kSmall>, Act, Tick, Nap, Exit, Down, IdleTimeout> {
 public:
  static constexpr std::string_view kTypeName = kSmall ? "test::SmallNode" : "test::LargeNode";

  explicit Node(const Setting& setting) : setting_(setting) {}

  void Init() {
    if (setting_.index % 2 == 0) this->SendEvery(absl::Microseconds(70), Tick{1});
    this->SetTrapExits(setting_.index % 3 == 0);
  }
  void On(const Act& m) {
    Note(m.value);
    Step(m.value, m.left);
    Step(Mix64(m.value), m.left);
    if (m.value % 11 == 0) throw std::runtime_error("crash");
  }
  Task<void> On(Nap m) {
    Note(m.value);
    co_await this->Sleep(absl::Microseconds(40));
    Step(m.value, 1);
    if (m.value % 5 == 0) throw std::runtime_error("crash after a nap");
  }
  void On(const Tick& m) {
    Note(m.value + this->Random());
    if (m.value % 13 == 0) throw std::runtime_error("crash of a tick");
  }
  void On(const Exit& m) { Note(static_cast<uint64_t>(m.reason.kind()) + this->Now()); }
  void On(const Down& m) { Note(m.monitor); }
  void On(const IdleTimeout&) { Note(99); }
  void Terminate(const ExitReason& reason) {
    this->Cast(Other(sum_), Act{Mix64(sum_), 0});
    if (reason.kind() == ExitReason::Kind::kError) this->SendAfter(absl::Microseconds(1), Tick{7});
  }

  auto State() const { return std::tie(sum_, messages_, timer_, monitor_); }

 private:
  void Note(uint64_t value) {
    sum_ = Mix64(sum_ + value);
    ++messages_;
  }
  Ref<AnyNode> Other(uint64_t value) const { return {setting_.all[Mix64(value) % kActors]}; }
  void Step(uint64_t value, uint64_t left) {
    const Ref<AnyNode> other = Other(value);
    switch (Mix64(value + 1) % 16) {
      case 0:
        timer_ = this->SendAfter(absl::Microseconds(value % 200), Tick{value});
        break;
      case 1:
        timer_ = this->SendEvery(absl::Microseconds(30 + value % 100), Tick{value});
        break;
      case 2:
        Note(this->CancelTimer(timer_) ? 1 : 2);
        break;
      case 3:
        this->Link(other);
        break;
      case 4:
        this->Unlink(other);
        break;
      case 5:
        monitor_ = this->Monitor(other);
        break;
      case 6:
        this->Demonitor(monitor_);
        break;
      case 7:
        if (left > 0) this->Continue(Act{Mix64(value + 2), left - 1});
        this->Continue(Tick{value});
        break;
      case 8:
        this->SetIdleTimeout(value % 7 == 0 ? absl::InfiniteDuration()
                                            : absl::Microseconds(value % 90));
        break;
      case 9:
        this->SetTrapExits(value % 2 == 0);
        break;
      case 10:
        this->SendExit(other, value % 3 == 0 ? ExitReason::Kill() : ExitReason::ShutdownWith("x"));
        break;
      case 11:
        if (value % 2 == 0) this->Stop(ExitReason::Shutdown());
        break;
      case 12:
        this->Cast(other, Nap{Mix64(value)});
        break;
      default:
        if (left > 0) this->Cast(other, Act{Mix64(value + 3), left - 1});
    }
  }

  Setting setting_;
  uint64_t sum_ = 0;
  uint64_t messages_ = 0;
  TimerId timer_ = TimerId::kNone;
  uint64_t monitor_ = 0;
  std::array<uint64_t, kSmall ? 1 : 40> bulk_{};
};
static_assert(sizeof(Node<true>) <= 256 && sizeof(Node<false>) > 256);

std::string NameOf(uint32_t i) { return "node" + std::to_string(i); }

template <typename Spawner>
void SpawnEach(System& system, const Spawner& spawner) {
  Setting setting;
  for (uint32_t i = 0; i < kActors; ++i) {
    const std::optional<ActorId> id = system.fabric().Find(NameOf(i));
    setting.all[i] = id.has_value() ? Address{*id} : system.fabric().Intern(NameOf(i));
  }
  for (uint32_t i = 0; i < kActors; ++i) {
    setting.index = i;
    spawner(i, setting);
  }
}

std::unique_ptr<System> StartOn(test::SimulatedFiles* files, TickClock* clock, uint32_t shards) {
  SystemOptions options = test::DurableOptions(files, clock, /*mailboxes=*/4);
  options.shards = shards;
  std::unique_ptr<System> system = System::Start(options).value();
  const SupervisorRef supervisor = system->Supervise({.max_restarts = 10'000});
  SpawnEach(*system, [&supervisor](uint32_t i, const Setting& setting) {
    const absl::Status status =
        i % 2 == 0
            ? supervisor.Spawn<Node<true>>(NameOf(i), Restart::kPermanent, setting).status()
            : supervisor.Spawn<Node<false>>(NameOf(i), Restart::kPermanent, setting).status();
    EXPECT_TRUE(status.ok()) << status;
  });
  return system;
}

uint64_t DigestOfReplay(test::SimulatedFiles* files) {
  auto replay = System::Replay({.journal_dir = "run", .until = {}, .files = files});
  EXPECT_TRUE(replay.ok()) << replay.status();
  SpawnEach(**replay, [&replay](uint32_t i, const Setting& setting) {
    const absl::Status status = i % 2 == 0
                                    ? (*replay)->Spawn<Node<true>>(NameOf(i), setting).status()
                                    : (*replay)->Spawn<Node<false>>(NameOf(i), setting).status();
    EXPECT_TRUE(status.ok()) << status;
  });
  return (*replay)->Digest();
}

// What a test that compares must have seen, over all rounds.
struct Seen {
  uint64_t restarts = 0;
  uint64_t delivered = 0;
};

void Live(uint64_t seed, Seen& seen) {
  std::mt19937_64 random(seed);
  auto files = std::make_unique<test::SimulatedFiles>();
  TickClock clock(TickClock::Source::kManual, 5'000);
  uint64_t digest = 0;
  for (int run = 0; run < 3; ++run) {
    const auto shards = static_cast<uint32_t>(1 + random() % 3);
    std::unique_ptr<System> system = StartOn(files.get(), &clock, shards);
    if (run > 0) {
      ASSERT_EQ(system->Digest(), digest) << "after the start of run " << run;
    }
    Port port = system->fabric().OpenPort();
    for (uint64_t steps = 20 + random() % 60; steps > 0; --steps) {
      const uint64_t choice = random() % 8;
      if (choice == 0) {
        const std::optional<ActorId> id = system->fabric().Find(NameOf(random() % kActors));
        ASSERT_TRUE(id.has_value());
        port.Send(Address{*id}, Act{random(), 2});
      } else if (choice == 1) {
        clock.Advance(random() % 60'000);
      } else {
        system->fabric().engine(static_cast<uint32_t>(random() % shards)).Poll();
      }
    }
    digest = system->Digest();
    std::unique_ptr<test::SimulatedFiles> left = files->AfterKill();
    ASSERT_EQ(DigestOfReplay(left.get()), digest) << "in a replay of run " << run;
    EXPECT_TRUE(system->Counters().AddUp());
    seen.restarts += system->restarts();
    seen.delivered += system->Counters().delivered;
    port = Port();
    system.reset();
    files = std::move(left);
  }
}

TEST(GenServerPropertyTest, RunReplayAndNextStartAgreeAtAnyMoment) {
  const uint64_t seed = test::Seed();
  Seen seen;
  const int rounds = test::Rounds(5);
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    Live(seed + static_cast<uint64_t>(round), seen);
    if (HasFailure()) return;
  }
  EXPECT_GT(seen.restarts, 0u);
  EXPECT_GT(seen.delivered, static_cast<uint64_t>(rounds) * 50);
}

}  // namespace gen_server_property_test
}  // namespace bitactor
