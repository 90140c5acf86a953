// Random programs of actors, killed at random moments, or cut off from power at level `group`, and
// resumed: the end is that of a run without that.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace recovery_property_test {

constexpr uint32_t kNodes = 6;
constexpr uint32_t kFeeds = 2;

// Called by every handler: where a run may be killed.
std::function<void()> on_handler;

// All choices are functions of a message's value, so that what happens does not depend on the
// schedule.
struct Step {
  uint64_t value;
  uint32_t hops;    // generations of messages that may follow
  uint32_t number;  // of a feed's message: 1, 2, ... at each target; else 0
};
struct Walk {
  uint64_t value;
  uint64_t hops;
};
struct Ask {
  uint64_t value;
  uint64_t hops;
  using Reply = uint64_t;
};

// What an actor keeps. Sums do not depend on the order of messages, but on each being counted once.
struct Tally {
  uint64_t sum = 0;
  uint64_t messages = 0;
  uint64_t answers = 0;
  uint64_t out_of_order = 0;
  std::array<uint32_t, kFeeds> last_number{};

  void Note(uint64_t value) {
    sum += Mix64(value);
    ++messages;
  }
};

struct Setting {
  uint32_t index = 0;
  std::array<Address, kNodes> nodes{};
};

bool OneIn(uint64_t n, uint64_t value, uint64_t purpose) { return Mix64(value + purpose) % n == 0; }

// Messages name this class; both kinds of node handle the same ones.
template <bool kSmall>
class Node;
using AnyNode = Node<true>;

// The small one is copied before each message, the other one is rebuilt from its journal after a
// crash.
template <bool kSmall>
class Node : public Actor<Node<kSmall>, Step, Walk, Ask> {
 public:
  static constexpr std::string_view kTypeName = kSmall ? "test::SmallNode" : "test::LargeNode";

  explicit Node(const Setting& setting) : setting_(setting) {}

  void On(const Step& m) {
    on_handler();
    tally_.Note(m.value);
    if (m.number != 0) {
      uint32_t& last = tally_.last_number[m.value % kFeeds];
      if (m.number <= last) ++tally_.out_of_order;
      last = m.number;
    }
    SendOn(m.value, m.hops);
    if (OneIn(8, m.value, 1)) throw std::runtime_error("crash after the sends");
  }

  Task<void> On(Walk m) {
    on_handler();
    tally_.Note(m.value);
    if (OneIn(2, m.value, 2)) SendOn(m.value + 1, m.hops);
    if (setting_.index + 1 < kNodes) {
      const absl::StatusOr<uint64_t> answer = co_await this->TryCall(Above(m.value), Question(m));
      tally_.answers += answer.ok() ? *answer : static_cast<uint64_t>(answer.status().code());
    }
    if (OneIn(3, m.value, 3)) {
      co_await this->Sleep(absl::Microseconds(50));
      tally_.Note(m.value);
    }
    on_handler();
    SendOn(m.value, m.hops);
    if (OneIn(6, m.value, 4)) throw std::runtime_error("crash of a resumed handler");
  }

  Task<uint64_t> On(Ask m) {
    on_handler();
    tally_.Note(m.value);
    uint64_t answer = Mix64(m.value);
    if (m.hops > 0 && setting_.index + 1 < kNodes && OneIn(2, m.value, 5)) {
      // Its failure is this one's failure.
      answer += co_await this->Call(Above(m.value), Ask{Mix64(m.value + 9), m.hops - 1});
    }
    if (OneIn(8, m.value, 6)) throw std::runtime_error("crash of a server");
    co_return answer;
  }

  auto State() const {
    return std::tie(tally_.sum, tally_.messages, tally_.answers, tally_.out_of_order,
                    tally_.last_number);
  }
  const Tally& tally() const { return tally_; }

 private:
  static Ask Question(const Walk& m) { return {Mix64(m.value + 8), m.hops}; }

  // Calls go to higher indices only, so that nobody waits for himself.
  Ref<AnyNode> Above(uint64_t value) const {
    const uint32_t above = kNodes - setting_.index - 1;
    return {setting_.nodes[setting_.index + 1 + Mix64(value + 10) % above]};
  }

  void SendOn(uint64_t value, uint64_t hops) {
    if (hops == 0) return;
    for (uint64_t i = 0; i < 1 + value % 2; ++i) {
      const uint64_t next = Mix64(value + 20 + i);
      const Ref<AnyNode> to{setting_.nodes[next % kNodes]};
      if (OneIn(2, next, 7)) {
        this->Cast(to, Step{next, static_cast<uint32_t>(hops - 1), 0});
      } else {
        this->Cast(to, Walk{next, hops - 1});
      }
    }
  }

  Setting setting_;
  Tally tally_;
  std::array<uint64_t, kSmall ? 1 : 40> bulk_{};
};
static_assert(sizeof(Node<true>) <= 256 && sizeof(Node<false>) > 256);

// A program: what each feed sends, again from its start in every run.
struct Program {
  struct Send {
    uint32_t target;
    Step step;
  };
  std::array<std::vector<Send>, kFeeds> feeds;

  explicit Program(std::mt19937_64& random) {
    for (uint32_t feed = 0; feed < kFeeds; ++feed) {
      std::array<uint32_t, kNodes> sent{};
      for (uint64_t left = 8 + random() % 8; left > 0; --left) {
        const auto target = static_cast<uint32_t>(random() % kNodes);
        const uint64_t value = random() / kFeeds * kFeeds + feed;
        feeds[feed].push_back(
            {target, {value, static_cast<uint32_t>(1 + random() % 3), ++sent[target]}});
      }
    }
  }
};

// One start of the system on given files, driven step by step.
class Run {
 public:
  Run(test::SimulatedFiles* files, TickClock* clock, uint32_t shards, Durability level,
      bool snapshots = false)
      : clock_(clock), snapshots_(snapshots) {
    SystemOptions options = test::DurableOptions(files, clock, /*mailboxes=*/4);
    options.shards = shards;
    options.fabric.journal.durability = level;
    auto system = System::Start(options);
    EXPECT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
  }

  void SpawnAll() {
    Setting setting;
    for (uint32_t i = 0; i < kNodes; ++i) setting.nodes[i] = system_->fabric().Intern(Name(i));
    const SupervisorRef supervisor = system_->Supervise({.max_restarts = 10'000});
    for (uint32_t i = 0; i < kNodes; ++i) {
      setting.index = i;
      const absl::Status status =
          i % 2 == 0
              ? supervisor.Spawn<Node<true>>(Name(i), Restart::kPermanent, setting).status()
              : supervisor.Spawn<Node<false>>(Name(i), Restart::kPermanent, setting).status();
      EXPECT_TRUE(status.ok()) << status;
    }
    for (uint32_t i = 0; i < kFeeds; ++i) {
      ports_[i] = system_->fabric().OpenPort({.name = "feed" + std::to_string(i)});
    }
  }

  // Sends a feed's next message, polls a shard, commits, or lets time pass.
  void Act(const Program& program, std::mt19937_64& random) {
    const uint64_t choice = random() % 8;
    if (choice < 2) {
      SendNext(program, static_cast<uint32_t>(random() % kFeeds));
    } else if (choice == 2) {
      clock_->Advance(random() % 100'000);
      if (random() % 4 == 0) {
        EXPECT_TRUE(system_->fabric().Commit().ok());
      }
      if (snapshots_ && random() % 4 == 0) KeepAndForget(random);
    } else {
      system_->fabric().engine(static_cast<uint32_t>(random() % system_->fabric().shards())).Poll();
    }
  }

  uint64_t ToTheEnd(const Program& program) {
    for (uint32_t feed = 0; feed < kFeeds; ++feed) {
      while (SendNext(program, feed)) system_->fabric().Poll();
    }
    // No handler sleeps for longer than a round; a chain of sleeps is as long as the hops of its
    // messages allow.
    for (int quiet_rounds = 0; quiet_rounds < 5;) {
      const uint64_t before = system_->Counters().delivered;
      clock_->Advance(60'000);
      system_->fabric().Poll();
      system_->WaitIdle();
      quiet_rounds = system_->Counters().delivered == before ? quiet_rounds + 1 : 0;
    }
    const FabricCounters counters = system_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.queued, 0u);
    EXPECT_EQ(counters.dead_letters_total(), 0u);
    return system_->Digest();
  }

  std::array<Tally, kNodes> Tallies() {
    std::array<Tally, kNodes> tallies;
    for (uint32_t i = 0; i < kNodes; ++i) {
      const auto keep = [&tallies, i](const auto& node) { tallies[i] = node.tally(); };
      EXPECT_TRUE(i % 2 == 0 ? system_->Inspect<Node<true>>(Name(i), keep)
                             : system_->Inspect<Node<false>>(Name(i), keep));
    }
    return tallies;
  }

 private:
  static std::string Name(uint32_t i) { return "node" + std::to_string(i); }

  bool SendNext(const Program& program, uint32_t feed) {
    if (next_[feed] == program.feeds[feed].size()) return false;
    const Program::Send& send = program.feeds[feed][next_[feed]];
    const Address target = *AddressOf(send.target);
    const SendResult result = ports_[feed].Send(target, send.step);
    EXPECT_TRUE(result == SendResult::kOk || result == SendResult::kAlreadyTaken)
        << SendResultName(result);
    ++next_[feed];
    return true;
  }
  // The run may be killed in the middle of it; then it fails, or comes too late.
  void KeepAndForget(std::mt19937_64& random) {
    const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
    EXPECT_TRUE(report.ok()) << report.status();
    if (random() % 4 != 0) return;
    const auto removed = system_->Retain({.before = Position::None()});
    EXPECT_TRUE(removed.ok()) << removed.status();
  }
  std::optional<Address> AddressOf(uint32_t node) const {
    const std::optional<ActorId> id = system_->fabric().Find(Name(node));
    if (!id.has_value()) return std::nullopt;
    return Address{*id};
  }

  TickClock* clock_;
  const bool snapshots_;
  std::unique_ptr<System> system_;
  std::array<Port, kFeeds> ports_;
  std::array<size_t, kFeeds> next_{};
};

// A shared random program and everything that happens to it.
class Life {
 public:
  Life(uint64_t seed, Durability level, bool snapshots)
      : level_(level), snapshots_(snapshots), random_(seed), program_(random_) {}

  uint64_t Uninterrupted() {
    on_handler = [] {};
    test::SimulatedFiles files;
    TickClock clock(TickClock::Source::kManual, 5'000);
    Run run(&files, &clock, Shards(), level_);
    run.SpawnAll();
    const uint64_t digest = run.ToTheEnd(program_);
    tallies_ = run.Tallies();
    return digest;
  }

  // Killed between polls, or inside a handler at its beginning or after a wait, also while a start
  // reads the journals. At level `group` power is lost there, but for one in four times.
  uint64_t Interrupted() {
    auto files = std::make_unique<test::SimulatedFiles>();
    TickClock clock(TickClock::Source::kManual, 5'000);
    for (uint64_t kills = 1 + random_() % 4; kills > 0; --kills) {
      std::unique_ptr<test::SimulatedFiles> left;
      uint64_t handlers = random_() % 60;
      on_handler = [&] {
        if (handlers-- == 0) left = WhatIsLeftOf(*files);
      };
      {
        Run run(files.get(), &clock, Shards(), level_, snapshots_);
        uint64_t steps_of_files = random_() % 400;
        if (snapshots_) {
          files->OnStep([&] {
            if (left == nullptr && steps_of_files-- == 0) left = WhatIsLeftOf(*files);
          });
        }
        run.SpawnAll();
        for (uint64_t steps = random_() % 300; steps > 0 && left == nullptr; --steps)
          run.Act(program_, random_);
        if (left == nullptr) left = WhatIsLeftOf(*files);
        on_handler = [] {};
        files->OnStep({});
      }
      files = std::move(left);
    }
    on_handler = [] {};
    Run run(files.get(), &clock, Shards(), level_);
    run.SpawnAll();
    const uint64_t digest = run.ToTheEnd(program_);
    ExpectSame(run.Tallies());
    return digest;
  }

 private:
  std::unique_ptr<test::SimulatedFiles> WhatIsLeftOf(const test::SimulatedFiles& files) {
    if (level_ == Durability::kProcess || random_() % 4 == 0) return files.AfterKill();
    return files.AfterPowerLoss(random_);
  }
  uint32_t Shards() { return static_cast<uint32_t>(1 + random_() % 3); }

  void ExpectSame(const std::array<Tally, kNodes>& tallies) {
    for (uint32_t i = 0; i < kNodes; ++i) {
      EXPECT_EQ(tallies[i].out_of_order, 0u) << "node" << i;
      EXPECT_EQ(tallies[i].messages, tallies_[i].messages) << "node" << i;
      EXPECT_EQ(tallies[i].answers, tallies_[i].answers) << "node" << i;
    }
  }

  const Durability level_;
  const bool snapshots_;
  std::mt19937_64 random_;
  const Program program_;
  std::array<Tally, kNodes> tallies_;
};

void RunLives(Durability level, int rounds, bool snapshots = false) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    Life life(seed + static_cast<uint64_t>(round), level, snapshots);
    const uint64_t expected = life.Uninterrupted();
    ASSERT_EQ(life.Interrupted(), expected) << "round " << round;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(RecoveryPropertyTest, AKilledAndResumedRunEndsAsAnUninterruptedOne) {
  RunLives(Durability::kProcess, test::Rounds(150));
}

TEST(RecoveryPropertyTest, SoDoesOneThatLostPowerAtLevelGroup) {
  RunLives(Durability::kGroup, test::Rounds(100));
}

// Snapshots at random moments, also of actors whose messages are on their way, some of them followed by
// the removal of what is before; killed also between any two steps of that.
TEST(RecoveryPropertyTest, SoDoesOneThatBeginsWithSnapshots) {
  RunLives(Durability::kProcess, test::Rounds(40), /*snapshots=*/true);
}

TEST(RecoveryPropertyTest, SoDoesOneThatBeginsWithSnapshotsAndLostPowerAtLevelGroup) {
  RunLives(Durability::kGroup, test::Rounds(20), /*snapshots=*/true);
}

}  // namespace recovery_property_test
}  // namespace bitactor
