// Power is lost, or a sync fails, at any step: what a port has read is there afterwards, with all that
// happened before it.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "l2_mailbox/durability_fixture.h"
#include "support/seed.h"

namespace bitactor::test {
namespace {

constexpr uint32_t kMailboxes = 4;
constexpr uint32_t kPorts = 3;
constexpr uint64_t kLong = 1'000'000'000;

// What somebody knows: of each mailbox, how many messages it had handled.
using Known = std::array<uint64_t, kMailboxes>;

void Learn(Known& known, const Known& other) {
  for (uint32_t i = 0; i < kMailboxes; ++i) known[i] = std::max(known[i], other[i]);
}

struct Step {
  static constexpr std::string_view kTypeName = "test::Step";

  Known known{};
  uint64_t hops = 0;
  // Of an answer: what its shard had journalled when it was made.
  uint64_t shard = 0;
  uint64_t journalled = 0;
};

// What has left the fabric, and so may not be lost.
struct Promised {
  Known known{};
  std::map<uint32_t, uint64_t> journalled;         // by shard
  std::set<std::pair<uint32_t, uint64_t>> places;  // of messages whose SendDurable() ended well

  void Note(const Frame& answer) {
    const Message message(answer);
    if (!message.Is<Step>()) return;
    const auto step = message.As<Step>();
    Learn(known, step.known);
    uint64_t& count = journalled[static_cast<uint32_t>(step.shard)];
    count = std::max(count, step.journalled);
  }
};

// A random program on one start of a fabric.
class World {
 public:
  World(SimulatedFiles& files, Durability level, uint32_t shards, std::mt19937_64& random)
      : random_(random) {
    FabricOptions options = DurableOptions(files, clock_, level, shards);
    options.held_answers = 1 + random_() % 8;
    options.lane_slots = 16;
    absl::StatusOr<std::unique_ptr<Fabric>> fabric = Fabric::Start(std::move(options));
    if (!fabric.ok()) {
      failed_ = true;
      return;
    }
    fabric_ = *std::move(fabric);
    for (uint32_t i = 0; i < kMailboxes && !failed_; ++i) {
      const absl::StatusOr<Address> address = fabric_->TryIntern(NameOf(i));
      failed_ = !address.ok();
      if (failed_) break;
      mailboxes_[i] = *address;
      fabric_->Serve(NameOf(i), [this, i](const Message& m, Sender& out) { Handle(i, m, out); });
    }
    for (Port& port : ports_) port = fabric_->OpenPort();
  }

  bool failed() const { return failed_; }
  Fabric& fabric() { return *fabric_; }
  uint64_t answers_read() const { return answers_read_; }

  void Act() {
    const uint32_t p = random_() % kPorts;
    const Address target = mailboxes_[random_() % kMailboxes];
    const Step step{.known = known_[p], .hops = random_() % 4};
    switch (random_() % 8) {
      case 0:
      case 1:
        ports_[p].Send(target, step);
        break;
      case 2:
      case 3:
        Ask(ports_[p], target, step);
        break;
      case 4:
        if (random_() % 4 == 0) {
          Durably(p, target, step);
        } else {
          fabric_->Commit().IgnoreError();
        }
        break;
      case 5:
        Read(p);
        break;
      case 6:
        if (random_() % 32 == 0) MoveMailboxes();
        [[fallthrough]];
      default:
        fabric_->engine(static_cast<uint32_t>(random_() % fabric_->shards())).Poll();
    }
  }
  void ReadAll() {
    for (uint32_t p = 0; p < kPorts; ++p) Read(p);
  }

  bool IsRefusedSomewhere() {
    bool refused = false;
    for (const Address& mailbox : mailboxes_) {
      refused |= ports_[0].Send(mailbox, Step{}) == SendResult::kJournalFull;
    }
    fabric_->WaitIdle();
    return refused;
  }

  // What has left by now, read or not.
  Promised promised() {
    Promised promised = promised_;
    for (const Port& port : ports_) {
      if (!port.ok()) continue;
      for (const Frame& answer : AnswersOf(*fabric_, port, /*take=*/false)) promised.Note(answer);
    }
    return promised;
  }

 private:
  // Slots move from shard to shard.
  void MoveMailboxes() {
    more_ = !more_;
    (more_ ? fabric_->AddMailbox(5, 4) : fabric_->RemoveMailbox(5)).IgnoreError();
  }
  static std::string NameOf(uint32_t i) { return "mailbox" + std::to_string(i); }

  void Handle(uint32_t i, const Message& m, Sender& out) {
    auto step = m.As<Step>();
    Learn(known_of_mailbox_[i], step.known);
    ++known_of_mailbox_[i][i];
    step.known = known_of_mailbox_[i];
    if (step.hops > 0) {
      --step.hops;
      out.Send(mailboxes_[random_() % kMailboxes], step);
    }
    if (m.kind() != FrameKind::kCall) return;
    bitactor::internal::Shard& shard = *bitactor::internal::CurrentShard();
    step.shard = shard.index();
    step.journalled = shard.journal()->appended();
    out.Reply(step);
  }
  void Read(uint32_t p) {
    for (const Frame& answer : TakeAnswers(*fabric_, ports_[p])) {
      promised_.Note(answer);
      if (Message(answer).Is<Step>()) Learn(known_[p], Message(answer).As<Step>().known);
      ports_[p].core()->Observe(answer.header.stamp_ns);
      ++answers_read_;
    }
  }
  void Durably(uint32_t p, Address target, const Step& step) {
    Read(p);  // it drops what else it finds
    const absl::StatusOr<Place> place = ports_[p].SendDurable(target, step, kLong);
    if (place.ok()) promised_.places.insert({place->shard, place->position.value()});
  }

  std::mt19937_64& random_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  bool failed_ = false;
  bool more_ = false;
  std::array<Address, kMailboxes> mailboxes_;
  std::array<Known, kMailboxes> known_of_mailbox_{};
  std::array<Known, kPorts> known_{};
  Promised promised_;
  uint64_t answers_read_ = 0;
  std::unique_ptr<Fabric> fabric_;
  std::array<Port, kPorts> ports_;  // close before the fabric ends
};

// What the journals hold after a start of the fabric on them.
void ExpectKept(SimulatedFiles& files, Durability level, uint32_t shards,
                const Promised& promised) {
  Known handled{};
  std::map<uint32_t, uint64_t> journalled;
  std::set<std::pair<uint32_t, uint64_t>> places;
  std::vector<std::pair<uint32_t, Known>> steps;
  TickClock clock(TickClock::Source::kManual, 5'000);
  FabricOptions options = DurableOptions(files, clock, level, shards);
  options.on_recovered = [&](const RecoveredFrame& recovered) {
    ++journalled[recovered.journal];
    places.insert({recovered.journal, recovered.position.value()});
    const Message message(recovered.frame);
    if (!message.Is<Step>()) return;
    const auto mailbox = static_cast<uint32_t>(message.target()) - 1;  // ids count from 1
    ASSERT_LT(mailbox, kMailboxes);
    ++handled[mailbox];
    steps.emplace_back(mailbox, message.As<Step>().known);
  };
  auto fabric = Fabric::Start(std::move(options));
  ASSERT_TRUE(fabric.ok()) << fabric.status();
  for (uint32_t i = 0; i < kMailboxes; ++i) {
    ASSERT_GE(handled[i], promised.known[i]) << "of mailbox " << i;
    for (const auto& [mailbox, known] : steps) {
      ASSERT_GE(handled[i], known[i])
          << "a message of mailbox " << mailbox << " without its cause in mailbox " << i;
    }
  }
  for (const auto& [shard, count] : promised.journalled) ASSERT_GE(journalled[shard], count);
  for (const auto& place : promised.places) {
    ASSERT_TRUE(places.contains(place)) << place.first << ":" << place.second;
  }
  // And it goes on from there.
  const Address echo = (*fabric)->Serve(
      "mailbox0", [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  Port port = (*fabric)->OpenPort();
  ASSERT_TRUE(port.Call(echo, Number{1}, kLong).ok());
  (*fabric)->WaitIdle();
  ASSERT_TRUE((*fabric)->Counters().AddUp());
}

TEST(FabricPowerLossTest, WhatAPortHasReadIsThereWithAllThatHappenedBeforeIt) {
  const uint64_t seed = Seed();
  uint64_t answers = 0;
  uint64_t places = 0;
  for (int round = 0; round < Rounds(240); ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    std::mt19937_64 random(seed + static_cast<uint64_t>(round));
    const Durability level = random() % 4 == 0 ? Durability::kEach : Durability::kGroup;
    const auto shards = static_cast<uint32_t>(1 + round % 3);
    SimulatedFiles files;
    std::unique_ptr<World> world;
    std::unique_ptr<SimulatedFiles> left;
    Promised promised;
    uint64_t steps = random() % (random() % 4 == 0 ? 40 : 400);
    files.OnStep([&] {
      if (left != nullptr || steps-- != 0) return;
      if (world != nullptr) promised = world->promised();
      left = files.AfterPowerLoss(random);
    });
    world = std::make_unique<World>(files, level, shards, random);
    while (left == nullptr) {
      world->Act();
      if (random() % 64 == 0) files.WriteBack(random);
    }
    answers += world->answers_read();
    places += promised.places.size();
    files.OnStep({});
    world = nullptr;
    ExpectKept(*left, level, static_cast<uint32_t>(1 + random() % 3), promised);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(answers, 1000u);
  EXPECT_GT(places, 100u);
}

// The n-th sync of a run fails, for each n.
TEST(FabricSyncFailureTest, EachFailureIsToldAndTakesNothingBack) {
  const uint64_t seed = Seed();
  for (const Durability level : {Durability::kGroup, Durability::kEach}) {
    for (uint32_t shards = 1; shards <= 3; ++shards) {
      bool reached = true;
      for (int n = 0; reached; n += level == Durability::kEach ? 7 : 1) {
        SCOPED_TRACE(std::string(DurabilityName(level)) + " sync " + std::to_string(n));
        std::mt19937_64 random(seed + shards);
        SimulatedFiles files;
        files.FailSync(absl::InternalError("Input/output error"), n);
        World world(files, level, shards, random);
        if (!world.failed()) {
          for (int i = 0; i < 150; ++i) world.Act();
          world.fabric().WaitIdle();
          world.ReadAll();
          reached = !world.fabric().Health().ok();
          const FabricCounters counters = world.fabric().Counters();
          EXPECT_TRUE(counters.AddUp());
          EXPECT_EQ(world.IsRefusedSomewhere(), reached);
        }
        const Promised promised = world.promised();
        std::unique_ptr<SimulatedFiles> left = files.AfterLossOfAllUnsynced();
        ExpectKept(*left, level, shards, promised);
        ASSERT_FALSE(testing::Test::HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace bitactor::test
