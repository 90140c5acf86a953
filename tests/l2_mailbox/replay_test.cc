// Replays of mailboxes and of whole fabrics, against what the handlers saw.
#include "bitactor/l2_mailbox/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_index.h"
#include "l2_mailbox/driven_fabric.h"
#include "support/causal_program.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

FabricReplay MustOpen(FileSystem& files, FabricReplayOptions options = {}) {
  absl::StatusOr<FabricReplay> replay = FabricReplay::Open("run", std::move(options), files);
  EXPECT_TRUE(replay.ok()) << replay.status();
  return *std::move(replay);
}

// A fabric that this thread drives, with journals in memory.
class ReplayTest : public ::testing::Test {
 protected:
  FabricOptions Options() { return test::DrivenOptions(clock_, 3, files_); }
  std::unique_ptr<Fabric> Start(FabricOptions options) {
    return test::MustStart(std::move(options));
  }
  static std::vector<uint64_t> ValuesOf(FabricReplay& replay) {
    std::vector<uint64_t> values;
    for (const Message& message : replay) values.push_back(message.As<Number>().value);
    return values;
  }
  std::vector<uint64_t> ValuesOf(FabricReplayOptions options) {
    FabricReplay replay = MustOpen(files_, std::move(options));
    std::vector<uint64_t> values = ValuesOf(replay);
    EXPECT_TRUE(replay.status().ok()) << replay.status();
    return values;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::SimulatedFiles files_;
};

TEST_F(ReplayTest, GivesAMailboxItsMessagesAsTheyWereHandled) {
  auto fabric = Start(Options());
  struct Seen {
    uint64_t value, stamp_ns, trace, span, message_id;
    ActorId source;
    bool operator==(const Seen&) const = default;
  };
  const auto seen_of = [](const Message& m) {
    return Seen{m.As<Number>().value, m.stamp_ns(), m.trace(), m.span(),
                m.message_id(),       m.source()};
  };
  std::map<uint32_t, std::vector<Seen>> seen;  // by mailbox
  std::vector<Address> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back(fabric->Serve(absl::StrCat("name", i), [&, i](const Message& m, Sender& out) {
      seen[fabric->slot_table().MailboxOf(m.target())].push_back(seen_of(m));
      const uint64_t value = m.As<Number>().value;
      if (value % 3 == 0) out.Send(names[(i + 7) % 20], Number{value + 1});
    }));
  }
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 200; ++i) {
    clock_.Advance(10);
    ASSERT_EQ(port.Send(names[i % 20], Number{i}), SendResult::kOk);
    fabric->WaitIdle();
  }
  EXPECT_TRUE(fabric->Counters().AddUp());
  ASSERT_TRUE(fabric->Stop().ok());
  for (uint32_t mailbox = 0; mailbox < 6; ++mailbox) {
    FabricReplay replay = MustOpen(files_, {.mailbox = mailbox});
    std::vector<Seen> replayed;
    for (const ReplayedMessage& message : replay) {
      replayed.push_back(seen_of(message));
      EXPECT_EQ(message.mailbox(), mailbox);
      EXPECT_EQ(message.boot(), 1u);
      EXPECT_EQ(message.place().shard, mailbox % 3);
      EXPECT_THAT(std::string(replay.NameOf(message.target())), HasSubstr("name"));
    }
    EXPECT_TRUE(replay.status().ok()) << replay.status();
    EXPECT_EQ(replayed, seen[mailbox]);
  }
  EXPECT_GT(seen.size(), 2u);
}

TEST_F(ReplayTest, AMailboxHasWhatWasRoutedToItWhenItWasHandled) {
  for (const bool indexed : {false, true}) {
    files_.~SimulatedFiles();
    new (&files_) test::SimulatedFiles();
    std::map<uint32_t, std::vector<uint64_t>> seen;  // by mailbox
    std::vector<Address> names;
    std::unique_ptr<Fabric> fabric;
    uint64_t next = 0;
    // Two starts, the second with fewer shards.
    for (const uint32_t shards : {3u, 2u}) {
      FabricOptions options = Options();
      options.shards = shards;
      fabric = Start(options);
      names.clear();
      for (int i = 0; i < 40; ++i) {
        names.push_back(fabric->Serve(absl::StrCat("name", i), [&](const Message& m, Sender&) {
          seen[fabric->slot_table().MailboxOf(m.target())].push_back(m.As<Number>().value);
        }));
      }
      Port port = fabric->OpenPort();
      for (const uint32_t mailbox : {6u, 7u, 0u, 6u, 3u, 0u}) {
        for (const Address& name : names) {
          ASSERT_EQ(port.Send(name, Number{next++}), SendResult::kOk);
          fabric->WaitIdle();
        }
        const bool is_in = fabric->slot_table().SlotsOf(mailbox) != 0;
        ASSERT_TRUE((is_in ? fabric->RemoveMailbox(mailbox) : fabric->AddMailbox(mailbox)).ok());
      }
      EXPECT_TRUE(fabric->Counters().AddUp());
      ASSERT_TRUE(fabric->Stop().ok());
    }
    if (indexed) {
      for (uint32_t shard = 0; shard < 3; ++shard) {
        auto index = JournalIndex::Open(ShardJournalDir("run", shard), files_);
        ASSERT_TRUE(index.ok() && index->Update().ok());
      }
    }
    size_t given = 0;
    for (uint32_t mailbox = 0; mailbox < 8; ++mailbox) {
      const std::vector<uint64_t> values = ValuesOf({.mailbox = mailbox});
      EXPECT_EQ(values, seen[mailbox]) << "mailbox " << mailbox << ", by index: " << indexed;
      given += values.size();
    }
    EXPECT_EQ(given, next);
    EXPECT_THAT(ValuesOf({.mailbox = 99}), IsEmpty());
  }
}

TEST_F(ReplayTest, GivesWhatWentToOneNameOrId) {
  auto fabric = Start(Options());
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  const Address b = fabric->Serve("b", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 6; ++i) ASSERT_EQ(port.Send(i % 2 ? a : b, Number{i}), SendResult::kOk);
  fabric->WaitIdle();
  ASSERT_TRUE(fabric->Stop().ok());
  EXPECT_THAT(ValuesOf({.name = "a"}), ElementsAre(1, 3, 5));
  EXPECT_THAT(ValuesOf({.target = b.id}), ElementsAre(0, 2, 4));
  EXPECT_THAT(ValuesOf({.name = "b", .target = b.id}), ElementsAre(0, 2, 4));
  const absl::Status nobody = FabricReplay::Open("run", {.name = "nobody"}, files_).status();
  EXPECT_EQ(nobody.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(nobody.message(), HasSubstr("run: nobody has the name \"nobody\""));
  EXPECT_EQ(FabricReplay::Open("run", {.name = "a", .target = b.id}, files_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FabricReplay::Open("elsewhere", {}, files_).status().code(),
            absl::StatusCode::kNotFound);
}

// A handler takes a Message, and so does whoever replays to it.
TEST_F(ReplayTest, APayloadLongerThanAFrameIsThereForWhoeverTakesAMessage) {
  auto fabric = Start(Options());
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  const std::vector<size_t> sizes = {0, 5, 128, 129, 5'000};
  for (const size_t size : sizes) {
    const std::vector<std::byte> bytes(size, std::byte{7});
    ASSERT_EQ(port.SendBytes<Number>(a, bytes), SendResult::kOk);
    fabric->WaitIdle();
  }
  std::vector<size_t> replayed;
  FabricReplay replay = MustOpen(files_);
  for (const Message& message : replay) {
    EXPECT_TRUE(message.IsBytes<Number>());
    EXPECT_THAT(message.bytes(), Each(std::byte{7}));
    replayed.push_back(message.bytes().size());
  }
  EXPECT_EQ(replayed, sizes);
}

TEST_F(ReplayTest, GivesAPieceOfTime) {
  auto fabric = Start(Options());
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  std::vector<uint64_t> stamps;
  for (uint64_t i = 0; i < 6; ++i) {
    clock_.Advance(5'000);
    ASSERT_EQ(port.Send(a, Number{i}), SendResult::kOk);
    fabric->WaitIdle();
  }
  FabricReplay replay = MustOpen(files_);
  for (const Message& message : replay) stamps.push_back(message.stamp_ns());
  ASSERT_EQ(stamps.size(), 6u);
  EXPECT_THAT(ValuesOf({.from_stamp_ns = stamps[2]}), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(ValuesOf({.until_stamp_ns = stamps[2]}), ElementsAre(0, 1));
  EXPECT_THAT(ValuesOf({.from_stamp_ns = stamps[1], .until_stamp_ns = stamps[3]}),
              ElementsAre(1, 2));
}

TEST_F(ReplayTest, GoesOnWithWhatALiveFabricAppends) {
  auto fabric = Start(Options());
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  const auto send = [&](uint64_t value) {
    ASSERT_EQ(port.Send(a, Number{value}), SendResult::kOk);
    fabric->WaitIdle();
  };
  send(1);
  send(2);
  FabricReplay replay = MustOpen(files_, {.name = "a"});
  FabricReplay of_mailbox = MustOpen(files_, {.mailbox = fabric->slot_table().MailboxOf(a.id)});
  EXPECT_THAT(ValuesOf(replay), ElementsAre(1, 2));
  EXPECT_THAT(ValuesOf(replay), IsEmpty());
  EXPECT_THAT(ValuesOf(of_mailbox), ElementsAre(1, 2));
  send(3);
  EXPECT_THAT(ValuesOf(replay), ElementsAre(3));
  EXPECT_THAT(ValuesOf(of_mailbox), ElementsAre(3));
  // It moves, and is not the mailbox's any more.
  ASSERT_TRUE(fabric->RemoveMailbox(fabric->slot_table().MailboxOf(a.id)).ok());
  send(4);
  EXPECT_THAT(ValuesOf(replay), ElementsAre(4));
  EXPECT_THAT(ValuesOf(of_mailbox), IsEmpty());
  port = Port();
  ASSERT_TRUE(fabric->Stop().ok());
  fabric = Start(Options());
  fabric->Serve("a", [](const Message&, Sender&) {});
  port = fabric->OpenPort();
  send(5);
  EXPECT_THAT(ValuesOf(replay), ElementsAre(5));
  EXPECT_TRUE(replay.status().ok()) << replay.status();
}

TEST_F(ReplayTest, ShardsThatALaterStartAddsAreFollowedToo) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Start(options);
  std::vector<Address> names;
  for (int i = 0; i < 12; ++i) names.push_back(fabric->Intern(absl::StrCat("name", i)));
  FabricReplay replay = MustOpen(files_);
  const uint32_t mailbox = fabric->slot_table().MailboxOf(names[5].id);
  FabricReplay of_mailbox = MustOpen(files_, {.mailbox = mailbox});
  EXPECT_THAT(ValuesOf(replay), IsEmpty());
  EXPECT_THAT(ValuesOf(of_mailbox), IsEmpty());
  ASSERT_TRUE(fabric->Stop().ok());
  options.shards = 3;
  fabric = Start(options);
  std::vector<uint64_t> sent, sent_to_mailbox;
  for (size_t i = 0; i < names.size(); ++i) {
    fabric->Serve(absl::StrCat("name", i), [&, i](const Message& m, Sender& out) {
      const uint64_t value = m.As<Number>().value;
      if (i + 1 < names.size()) out.Send(names[i + 1], Number{value + 1});
    });
    sent.push_back(i);
    if (fabric->slot_table().MailboxOf(names[i].id) == mailbox) sent_to_mailbox.push_back(i);
  }
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(names[0], Number{0}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(ValuesOf(replay), sent);
  EXPECT_EQ(ValuesOf(of_mailbox), sent_to_mailbox);
  EXPECT_TRUE(replay.status().ok()) << replay.status();
}

TEST_F(ReplayTest, LooksForCausesThatWereAppendedSinceAJournalHadNoMore) {
  FabricOptions options = Options();
  options.shards = 2;
  auto fabric = Start(options);
  std::vector<Address> on(2);  // one on each shard
  for (int i = 0; on[0] == Address{} || on[1] == Address{}; ++i) {
    const Address name = fabric->Intern(absl::StrCat("name", i));
    on[fabric->ShardOf(name.id)] = name;
  }
  fabric->Serve(fabric->NameOf(on[0].id), [](const Message&, Sender&) {});
  fabric->Serve(fabric->NameOf(on[1].id),
                [&](const Message&, Sender& out) { out.Send(on[0], Number{3}); });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(on[0], Number{1}), SendResult::kOk);
  fabric->WaitIdle();
  FabricReplay replay = MustOpen(files_);
  const ReplayedMessage* first = replay.Next();  // shard 1 has nothing
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->As<Number>().value, 1u);
  ASSERT_EQ(port.Send(on[1], Number{2}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_THAT(ValuesOf(replay), ElementsAre(2, 3));
}

TEST_F(ReplayTest, AMailboxIsGivenWhatCameToItSinceTheReplayWasOpened) {
  auto fabric = Start(Options());
  std::vector<Address> names;
  for (int i = 0; i < 30; ++i) {
    names.push_back(fabric->Serve(absl::StrCat("name", i), [](const Message&, Sender&) {}));
  }
  FabricReplay replay = MustOpen(files_, {.mailbox = 7});
  ASSERT_TRUE(fabric->AddMailbox(7, 1000).ok());
  Port port = fabric->OpenPort();
  std::vector<uint64_t> sent;
  for (const Address& name : names) {
    const auto value = static_cast<uint64_t>(name.id);
    ASSERT_EQ(port.Send(name, Number{value}), SendResult::kOk);
    if (fabric->slot_table().MailboxOf(name.id) == 7) sent.push_back(value);
  }
  fabric->WaitIdle();
  EXPECT_GT(sent.size(), 20u);
  EXPECT_EQ(ValuesOf(replay), sent);
}

TEST_F(ReplayTest, WithoutItsBeginningAJournalDoesNotTellTheMailbox) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Start(options);
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  const uint32_t mailbox = fabric->slot_table().MailboxOf(a.id);
  Port port = fabric->OpenPort();
  const auto send = [&](uint64_t value) {
    ASSERT_EQ(port.Send(a, Number{value}), SendResult::kOk);
    fabric->WaitIdle();
  };
  for (uint64_t i = 0; i < 2'000; ++i) ASSERT_NO_FATAL_FAILURE(send(i));
  Journal& journal = *fabric->shard(0).journal();
  ASSERT_TRUE(journal.Retain({.before = journal.tail()}).ok());
  FabricReplay of_target = MustOpen(files_, {.target = a.id});
  const ReplayedMessage* first = of_target.Next();
  ASSERT_NE(first, nullptr);
  EXPECT_GT(first->As<Number>().value, 0u);
  EXPECT_EQ(first->mailbox(), std::nullopt);
  EXPECT_EQ(first->boot(), 0u);
  FabricReplay of_mailbox = MustOpen(files_, {.mailbox = mailbox});
  EXPECT_EQ(of_mailbox.Next(), nullptr);
  EXPECT_EQ(of_mailbox.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(of_mailbox.status().message(), HasSubstr("the record of its start was removed"));
}

TEST_F(ReplayTest, RoutesAndNamesOfRemovedRecordsAreKnownFromTheSnapshot) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Start(options);
  std::vector<Address> names;
  for (int i = 0; i < 20; ++i) names.push_back(fabric->Intern(absl::StrCat("name", i)));
  const auto send = [&](uint64_t count) {
    for (int i = 0; i < 20; ++i)
      fabric->Serve(absl::StrCat("name", i), [](const Message&, Sender&) {});
    Port port = fabric->OpenPort();
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(port.Send(names[i % 20], Number{i}), SendResult::kOk);
      fabric->WaitIdle();
    }
  };
  ASSERT_TRUE(fabric->AddMailbox(7, 1000).ok());
  ASSERT_NO_FATAL_FAILURE(send(1'000));
  ASSERT_TRUE(fabric->Stop().ok());
  fabric = Start(options);
  const Position second_start = fabric->shard(0).journal()->tail();
  ASSERT_NO_FATAL_FAILURE(send(20));
  const auto reports = fabric->Retain({.before = second_start});
  ASSERT_TRUE(reports.ok()) << reports.status();
  ASSERT_GT((*reports)[0].records, 1'000u);
  FabricReplay replay = MustOpen(files_);
  size_t given = 0;
  for (const ReplayedMessage& message : replay) {
    EXPECT_THAT(std::string(replay.NameOf(message.target())), HasSubstr("name"));
    if (message.boot() != 2) continue;
    EXPECT_EQ(message.mailbox(), fabric->slot_table().MailboxOf(message.target()));
    ++given;
  }
  EXPECT_EQ(given, 20u);
  EXPECT_THAT(ValuesOf({.name = "name3"}), Contains(3));
}

TEST_F(ReplayTest, AChangeBehindARemovedStartIsNotTakenForAnEarlierOne) {
  FabricOptions options = Options();
  options.shards = 2;
  auto fabric = Start(options);
  std::vector<Address> on(2);  // one on each shard
  for (int i = 0; on[0] == Address{} || on[1] == Address{}; ++i) {
    const Address name = fabric->Serve(absl::StrCat("name", i), [](const Message&, Sender&) {});
    on[fabric->ShardOf(name.id)] = name;
  }
  const uint32_t before = fabric->slot_table().MailboxOf(on[0].id);
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(on[0], Number{1}), SendResult::kOk);
  for (uint64_t i = 0; i < 2'000; ++i) {
    ASSERT_EQ(port.Send(on[1], Number{i}), SendResult::kOk);
    fabric->WaitIdle();
  }
  const auto reports = fabric->Retain({.before = fabric->shard(1).journal()->tail()});
  ASSERT_TRUE(reports.ok()) << reports.status();
  ASSERT_EQ((*reports)[0].records, 0u);
  ASSERT_GT((*reports)[1].records, 0u);
  ASSERT_TRUE(fabric->AddMailbox(7, 1000).ok());
  FabricReplay replay = MustOpen(files_, {.target = on[0].id});
  const ReplayedMessage* const first = replay.Next();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->boot(), 1u);
  EXPECT_EQ(first->mailbox(), before);
}

// Random programs whose routes change, against what their handlers saw.
class ReplayedProgram {
 public:
  explicit ReplayedProgram(uint64_t seed) : random_(seed), program_(random_(), &clock_, &files_) {}

  void Step() {
    const uint64_t what = random_() % 256;
    if (what == 0) {
      const auto mailbox = static_cast<uint32_t>(random_() % 10);
      const bool is_in = program_.fabric().slot_table().SlotsOf(mailbox) != 0;
      // Refused where it is the last one.
      (is_in ? program_.fabric().RemoveMailbox(mailbox) : program_.fabric().AddMailbox(mailbox))
          .IgnoreError();
      ++changes_;
    } else if (what < 128) {
      clock_.Advance(random_() % 50);
      program_.fabric()
          .engine(static_cast<uint32_t>(random_() % program_.fabric().shards()))
          .Poll();
    } else if (what < 130) {
      program_.ServeNext();
    } else {
      ASSERT_NO_FATAL_FAILURE(program_.Step(random_() % program_.ports()));
    }
  }
  void Finish() {
    for (size_t i = 0; i < program_.ports(); ++i) program_.Close(i);
    while (program_.ServeNext()) {
    }
    program_.CheckAtRest();
  }

  test::CausalProgram& program() { return program_; }
  test::SimulatedFiles& files() { return files_; }
  std::mt19937_64& random() { return random_; }
  int changes() const { return changes_; }

 private:
  std::mt19937_64 random_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::SimulatedFiles files_;
  int changes_ = 0;
  test::CausalProgram program_;
};

// Takes a replay message by message.
class ReplayWitness {
 public:
  explicit ReplayWitness(const test::CausalProgram& program)
      : program_(program), mailboxes_(program.mailboxes()) {}

  void Take(const ReplayedMessage& message) {
    const test::HandledCounts needs = program_.HandledBefore(message.As<test::Tagged>());
    for (size_t i = 0; i < mailboxes_.size(); ++i) {
      ASSERT_GE(given_[mailboxes_[i]].size(), needs[i])
          << message.place().ToString() << " came before what was handled when it was sent";
    }
    given_[message.target()].push_back({message.source(), message.message_id()});
    ++of_mailbox_[message.mailbox().value()];
    ++count_;
  }
  void TakeAll(FabricReplay& replay) {
    for (const ReplayedMessage& message : replay) {
      ASSERT_NO_FATAL_FAILURE(Take(message));
    }
    ASSERT_TRUE(replay.status().ok()) << replay.status();
  }
  // After all: each mailbox was given what it handled, in its order.
  void ExpectAll() {
    for (const auto& [target, handled] : program_.handled_by_target()) {
      EXPECT_EQ(given_[target], handled) << static_cast<uint32_t>(target);
    }
  }
  uint64_t count() const { return count_; }
  uint64_t of_mailbox(uint32_t mailbox) { return of_mailbox_[mailbox]; }

 private:
  const test::CausalProgram& program_;
  const std::vector<ActorId> mailboxes_;
  std::map<ActorId, std::vector<test::MessageName>> given_;
  std::map<uint32_t, uint64_t> of_mailbox_;
  uint64_t count_ = 0;
};

TEST(ReplayPropertyTest, AWholeFabricComesInCausalOrderAndEachMailboxInItsOwn) {
  const uint64_t seed = test::Seed();
  uint64_t given = 0;
  int changes = 0;
  for (int round = 0; round < test::Rounds(12); ++round) {
    ReplayedProgram run(seed + static_cast<uint64_t>(round));
    for (int step = 0; step < 1'500; ++step) ASSERT_NO_FATAL_FAILURE(run.Step());
    run.Finish();
    FabricReplay replay = MustOpen(run.files());
    ReplayWitness witness(run.program());
    witness.TakeAll(replay);
    witness.ExpectAll();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
    given += witness.count();
    changes += run.changes();
    // One mailbox and one target alone, as among the others.
    const auto mailbox = static_cast<uint32_t>(round % 10);
    FabricReplay of_mailbox = MustOpen(run.files(), {.mailbox = mailbox});
    uint64_t of_mailbox_given = 0;
    for (const ReplayedMessage& message : of_mailbox) {
      ASSERT_EQ(message.mailbox(), mailbox);
      ++of_mailbox_given;
    }
    EXPECT_EQ(of_mailbox_given, witness.of_mailbox(mailbox));
    const auto handled_by_target = run.program().handled_by_target();
    const auto& [target, handled] = *handled_by_target.begin();
    FabricReplay of_target = MustOpen(run.files(), {.target = target});
    std::vector<test::MessageName> names;
    for (const Message& m : of_target) names.push_back({m.source(), m.message_id()});
    EXPECT_EQ(names, handled);
  }
  EXPECT_GT(given, 1'000u);
  EXPECT_GT(changes, 10);
}

TEST(ReplayPropertyTest, ALiveFabricIsFollowedWithoutLossOrRepetition) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(10); ++round) {
    ReplayedProgram run(seed + 1'000 + static_cast<uint64_t>(round));
    for (int step = 0; step < 100; ++step) ASSERT_NO_FATAL_FAILURE(run.Step());
    FabricReplay replay = MustOpen(run.files());
    ReplayWitness witness(run.program());
    for (int step = 0; step < 1'200; ++step) {
      ASSERT_NO_FATAL_FAILURE(run.Step());
      for (uint64_t n = run.random()() % 4; n > 0; --n) {
        const ReplayedMessage* message = replay.Next();
        if (message == nullptr) break;
        ASSERT_NO_FATAL_FAILURE(witness.Take(*message)) << "round " << round;
      }
    }
    run.Finish();
    ASSERT_NO_FATAL_FAILURE(witness.TakeAll(replay));
    witness.ExpectAll();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
  }
}

TEST(ReplayPropertyTest, UntilAPlaceAndFromThereIsAllOfIt) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(6); ++round) {
    ReplayedProgram run(seed + 2'000 + static_cast<uint64_t>(round));
    for (int step = 0; step < 600; ++step) ASSERT_NO_FATAL_FAILURE(run.Step());
    run.Finish();
    FabricReplay all = MustOpen(run.files());
    std::vector<Place> places;
    for (const ReplayedMessage& message : all) places.push_back(message.place());
    if (places.empty()) continue;
    for (int i = 0; i < 3; ++i) {
      const Place place = places[run.random()() % places.size()];
      ReplayWitness witness(run.program());
      FabricReplay before = MustOpen(run.files(), {.until = place});
      for (const ReplayedMessage& message : before) {
        ASSERT_NO_FATAL_FAILURE(witness.Take(message)) << place.ToString();
        ASSERT_NE(message.place().ToString(), place.ToString());
      }
      ASSERT_TRUE(before.status().ok()) << before.status();
      FabricReplay behind = MustOpen(run.files(), {.from = place});
      witness.TakeAll(behind);
      witness.ExpectAll();
      ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round << " " << place.ToString();
    }
  }
}

TEST(ReplayPropertyTest, DamageEndsItBeforeAnythingThatWhatIsLostMayHaveCaused) {
  const uint64_t seed = test::Seed();
  int damaged = 0;
  for (int round = 0; round < test::Rounds(8); ++round) {
    ReplayedProgram run(seed + 3'000 + static_cast<uint64_t>(round));
    for (int step = 0; step < 600; ++step) ASSERT_NO_FATAL_FAILURE(run.Step());
    run.Finish();
    FabricReplay all = MustOpen(run.files());
    std::vector<Place> places;
    for (const ReplayedMessage& message : all) places.push_back(message.place());
    if (places.empty()) continue;
    const Place place = places[run.random()() % places.size()];
    constexpr uint64_t kSegmentUnits = (64 << 10) / kFrameUnitBytes;
    run.files().FlipBit(
        absl::StrCat(ShardJournalDir("run", place.shard), "/",
                     absl::Dec(place.position.value() / kSegmentUnits, absl::kZeroPad8), ".seg"),
        place.position.value() % kSegmentUnits * kFrameUnitBytes + 20, 3);
    FabricReplay replay = MustOpen(run.files());
    ReplayWitness witness(run.program());
    for (const ReplayedMessage& message : replay) {
      ASSERT_NO_FATAL_FAILURE(witness.Take(message));
    }
    EXPECT_LT(witness.count(), places.size());
    EXPECT_EQ(replay.status().code(), absl::StatusCode::kDataLoss) << replay.status();
    EXPECT_THAT(replay.status().message(), HasSubstr(place.position.ToString()));
    EXPECT_EQ(replay.Next(), nullptr);
    ++damaged;
  }
  EXPECT_GT(damaged, 0);
}

}  // namespace
}  // namespace bitactor
