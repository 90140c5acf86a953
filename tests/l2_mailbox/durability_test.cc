// What a fabric does with answers and sends at each durability level.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

#include "gmock/gmock.h"
#include "l2_mailbox/durability_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kLong = 1'000'000'000;

struct Other {
  static constexpr std::string_view kTypeName = "test::Other";
  uint64_t value;
};

class FabricDurabilityTest : public ::testing::Test {
 protected:
  FabricOptions Options(Durability level, uint32_t shards = 1) {
    return DurableOptions(*files_, clock_, level, shards);
  }
  void MustStart(FabricOptions options) {
    auto fabric = Fabric::Start(std::move(options));
    ASSERT_TRUE(fabric.ok()) << fabric.status();
    fabric_ = *std::move(fabric);
  }
  void MustStart(Durability level, uint32_t shards = 1) { MustStart(Options(level, shards)); }
  Address ServeEcho(std::string_view name = "echo") {
    return fabric_->Serve(name, [this](const Message& m, Sender& out) {
      ++handled_;
      if (m.As<Number>().value == 13) throw std::runtime_error("unlucky");
      if (m.kind() == FrameKind::kCall) out.Reply(m.As<Number>());
    });
  }
  // A round of the shards without the commit that Fabric::Poll() makes when nothing else moves.
  void PollShards() {
    for (uint32_t i = 0; i < fabric_->shards(); ++i) fabric_->engine(i).Poll();
  }
  void PollShardsUntilIdle() {
    for (int i = 0; i < 8; ++i) PollShards();
  }
  uint64_t DeadLetters(DeadLetterCause cause) {
    return fabric_->Counters().dead_letters[static_cast<size_t>(cause)];
  }
  void ExpectAddsUp() {
    fabric_->WaitIdle();
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
  }
  // Power is lost now, and all that was not synced.
  void LosePower() {
    std::unique_ptr<SimulatedFiles> after = files_->AfterLossOfAllUnsynced();
    fabric_ = nullptr;
    old_files_.push_back(std::exchange(files_, std::move(after)));
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::vector<std::unique_ptr<SimulatedFiles>> old_files_;
  std::unique_ptr<SimulatedFiles> files_ = std::make_unique<SimulatedFiles>();
  std::unique_ptr<Fabric> fabric_;
  uint64_t handled_ = 0;
};

TEST_F(FabricDurabilityTest, AtGroupAnAnswerIsHeldUntilACutHasItsCause) {
  MustStart(Durability::kGroup);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  ASSERT_EQ(Ask(port, echo, Number{7}), SendResult::kOk);
  PollShardsUntilIdle();
  EXPECT_EQ(handled_, 1u);
  EXPECT_TRUE(TakeAnswers(*fabric_, port).empty());
  EXPECT_EQ(fabric_->Counters().queued, 1u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
  EXPECT_FALSE(fabric_->shard(0).HasWork()) << "it sleeps until the cut comes";
  ASSERT_TRUE(fabric_->Commit().ok());
  EXPECT_TRUE(fabric_->shard(0).HasWork());
  PollShards();
  const std::vector<Frame> answers = TakeAnswers(*fabric_, port);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(Message(answers[0]).As<Number>().value, 7u);
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, AtEachAndAtProcessNothingIsHeld) {
  for (const Durability level : {Durability::kEach, Durability::kProcess}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustStart(level);
    const Address echo = ServeEcho();
    Port port = fabric_->OpenPort();
    ASSERT_EQ(Ask(port, echo, Number{7}), SendResult::kOk);
    const uint64_t syncs = files_->syncs();
    PollShardsUntilIdle();
    EXPECT_EQ(TakeAnswers(*fabric_, port).size(), 1u) << DurabilityName(level);
    EXPECT_EQ(files_->syncs() > syncs, level == Durability::kEach);
    ExpectAddsUp();
    port = Port();
    fabric_ = nullptr;
  }
}

TEST_F(FabricDurabilityTest, AnswersGoInTheOrderInWhichTheyWereMade) {
  MustStart(Durability::kGroup);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  uint64_t next = 100;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) Ask(port, echo, Number{next++});
    PollShardsUntilIdle();
    if (round % 2 == 0) {
      ASSERT_TRUE(fabric_->Commit().ok());
    }
  }
  PollShards();
  uint64_t expected = 100;
  for (const Frame& answer : TakeAnswers(*fabric_, port)) {
    EXPECT_EQ(Message(answer).As<Number>().value, expected++);
  }
  EXPECT_EQ(expected, next);
}

TEST_F(FabricDurabilityTest, WhenTooManyAnswersWaitTheShardHandlesNothingMore) {
  FabricOptions options = Options(Durability::kGroup);
  options.held_answers = 2;
  MustStart(options);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  for (uint64_t i = 0; i < 5; ++i) Ask(port, echo, Number{i});
  PollShardsUntilIdle();
  EXPECT_EQ(handled_, 3u) << "the third answer found no room";
  EXPECT_EQ(fabric_->Counters().queued, 5u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
  ASSERT_TRUE(fabric_->Commit().ok());
  PollShardsUntilIdle();
  EXPECT_EQ(handled_, 5u);
  fabric_->WaitIdle();
  EXPECT_EQ(TakeAnswers(*fabric_, port).size(), 5u);
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, ACallEndsWhenItsAnswerIsDurable) {
  MustStart(Durability::kGroup, 3);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  const auto answer = port.Call(echo, Number{7}, kLong);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const Journal& journal = *fabric_->shard(fabric_->ShardOf(echo.id)).journal();
  EXPECT_EQ(journal.durable(), journal.tail());
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, SendDurableSaysWhereTheMessageIs) {
  for (const Durability level : {Durability::kProcess, Durability::kGroup, Durability::kEach}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustStart(level, 2);
    const Address echo = ServeEcho();
    Port port = fabric_->OpenPort();
    port.Post(echo, Number{1});
    const absl::StatusOr<Place> place = port.SendDurable(echo, Number{2}, kLong);
    ASSERT_TRUE(place.ok()) << place.status();
    EXPECT_EQ(place->shard, fabric_->ShardOf(echo.id));
    ExpectAddsUp();
    port = Port();
    if (level == Durability::kProcess) {
      ASSERT_TRUE(fabric_->Stop().ok());
    } else {
      LosePower();
    }
    std::map<uint64_t, uint64_t> values;  // by position
    const absl::Status status = ScanJournals(*files_, "run", [&](const RecoveredFrame& recovered) {
      if (recovered.frame.header.type == TypeId<Number>() && recovered.journal == place->shard) {
        values[recovered.position.value()] = Message(recovered.frame).As<Number>().value;
      }
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(values.size(), 2u) << "what was posted before it is there as well";
    EXPECT_EQ(values[place->position.value()], 2u) << DurabilityName(level);
    fabric_ = nullptr;
  }
}

TEST_F(FabricDurabilityTest, SendDurableTellsWhatBecameOfAMessageThatWasRefused) {
  MustStart(Durability::kGroup);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  using absl::StatusCode;
  EXPECT_EQ(port.SendDurable(Address{ActorId{99}}, Number{1}, kLong).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(port.SendDurable(echo, Number{13}, kLong).status().code(), StatusCode::kInternal);
  EXPECT_EQ(port.SendDurable(echo, Other{1}, kLong).status().code(), StatusCode::kUnimplemented);
  EXPECT_TRUE(port.SendDurable(echo, Number{1}, kLong).ok());
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, WhatTimedOutCanBeWaitedForAgain) {
  MustStart(Durability::kGroup);
  const Address later = fabric_->Intern("later");
  Port port = fabric_->OpenPort();
  EXPECT_EQ(port.AwaitDurable(kLong).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(port.SendDurable(later, Number{5}, kLong).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(port.AwaitDurable(kLong).status().code(), absl::StatusCode::kDeadlineExceeded);
  ServeEcho("later");
  const absl::StatusOr<Place> place = port.AwaitDurable(kLong);
  EXPECT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(port.AwaitDurable(kLong).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(handled_, 1u);
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, AHandlerThatAnswersACastDoesNotStandForTheJournal) {
  MustStart(Durability::kGroup);
  const Address chatty =
      fabric_->Serve("chatty", [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  Port port = fabric_->OpenPort();
  const absl::Status status = port.SendDurable(chatty, Number{1}, kLong).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no call"));
  EXPECT_TRUE(port.AwaitDurable(kLong).ok());
}

TEST_F(FabricDurabilityTest, WithoutAJournalNothingCanBeDurable) {
  FabricOptions options = Options(Durability::kProcess);
  options.journal_dir = "";
  MustStart(options);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  EXPECT_EQ(port.SendDurable(echo, Number{1}, kLong).status().code(),
            absl::StatusCode::kFailedPrecondition);
  options.journal.durability = Durability::kGroup;
  const absl::Status status = Fabric::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("`group`"));
}

TEST_F(FabricDurabilityTest, ANamedPortSendsTheSameAgainAfterAPowerLoss) {
  MustStart(Durability::kGroup, 2);
  Address echo = ServeEcho();
  Port feed = fabric_->OpenPort({.name = "feed"});
  ASSERT_TRUE(feed.SendDurable(echo, Number{1}, kLong).ok());
  ASSERT_TRUE(feed.SendDurable(echo, Number{2}, kLong).ok());
  ASSERT_EQ(feed.Send(echo, Number{3}), SendResult::kOk);  // of this one nobody knows
  PollShardsUntilIdle();
  EXPECT_EQ(handled_, 3u);
  feed = Port();
  LosePower();

  handled_ = 0;
  MustStart(Durability::kGroup, 2);
  echo = ServeEcho();
  feed = fabric_->OpenPort({.name = "feed"});
  for (uint64_t i = 1; i <= 2; ++i) {
    EXPECT_EQ(feed.SendDurable(echo, Number{i}, kLong).status().code(),
              absl::StatusCode::kAlreadyExists);
  }
  EXPECT_TRUE(feed.SendDurable(echo, Number{3}, kLong).ok());
  EXPECT_EQ(handled_, 1u);
  feed = Port();
  feed = fabric_->OpenPort({.name = "feed"});
  const absl::Status again = feed.SendDurable(echo, Number{1}, kLong).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.message()), HasSubstr("message 1 of this name"));
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, WhoWaitsForAnAnswerIsToldOfAFailedSync) {
  MustStart(Durability::kGroup, 2);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  ASSERT_EQ(Ask(port, echo, Number{1}), SendResult::kOk);
  PollShardsUntilIdle();
  files_->FailSync(absl::InternalError("Input/output error"));
  const absl::StatusOr<Frame> answer = port.Call(echo, Number{2}, kLong);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kAborted) << answer.status();
  EXPECT_EQ(port.Call(echo, Number{3}, kLong).status().code(), absl::StatusCode::kUnavailable);
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, AfterAFailedSyncHeldAnswersAreDeadLetters) {
  MustStart(Durability::kGroup, 2);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  ASSERT_EQ(Ask(port, echo, Number{1}), SendResult::kOk);
  ASSERT_EQ(Ask(port, echo, Number{2}), SendResult::kOk);
  PollShardsUntilIdle();
  files_->FailSync(absl::InternalError("Input/output error"));
  EXPECT_FALSE(fabric_->Commit().ok());
  EXPECT_THAT(std::string(fabric_->Health().message()), HasSubstr("Input/output error"));
  EXPECT_TRUE(fabric_->shard(fabric_->ShardOf(echo.id)).HasWork());
  PollShards();
  EXPECT_EQ(DeadLetters(DeadLetterCause::kNotDurable), 2u);
  const std::vector<Frame> answers = TakeAnswers(*fabric_, port);
  ASSERT_EQ(answers.size(), 2u);
  for (const Frame& answer : answers) {
    const absl::Status told = Message(answer).As<ErrorReply>().ToStatus();
    EXPECT_EQ(told.code(), absl::StatusCode::kAborted);
    EXPECT_THAT(std::string(told.message()), HasSubstr("not_durable"));
  }
  EXPECT_EQ(port.Send(echo, Number{3}), SendResult::kJournalFull);
  EXPECT_EQ(port.SendDurable(echo, Number{3}, kLong).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(fabric_->TryIntern("new").ok());
  ExpectAddsUp();
  EXPECT_FALSE(fabric_->Stop().ok());
}

TEST_F(FabricDurabilityTest, WhatIsOnItsWayWhenASyncFailsIsNotHandled) {
  MustStart(Durability::kGroup);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  ASSERT_EQ(port.Send(echo, Number{1}), SendResult::kOk);
  PollShardsUntilIdle();
  ASSERT_EQ(Ask(port, echo, Number{2}), SendResult::kOk);
  files_->FailSync(absl::InternalError("Input/output error"));
  EXPECT_FALSE(fabric_->Commit().ok());
  PollShardsUntilIdle();
  EXPECT_EQ(handled_, 1u);
  EXPECT_GE(DeadLetters(DeadLetterCause::kNotDurable), 1u);
  const std::vector<Frame> answers = TakeAnswers(*fabric_, port);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(Message(answers[0]).As<ErrorReply>().ToStatus().code(), absl::StatusCode::kAborted);
  ExpectAddsUp();
}

TEST_F(FabricDurabilityTest, StopCommitsAndGivesAwayWhatIsHeld) {
  FabricOptions options = Options(Durability::kGroup);
  options.held_answers = 2;
  MustStart(options);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  for (uint64_t i = 0; i < 3; ++i) Ask(port, echo, Number{i});
  PollShardsUntilIdle();
  EXPECT_TRUE(TakeAnswers(*fabric_, port).empty());
  EXPECT_TRUE(fabric_->Stop().ok());
  EXPECT_EQ(TakeAnswers(*fabric_, port).size(), 3u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(FabricDurabilityTest, StopDeadLettersWhatIsHeldWhenItsCommitFails) {
  FabricOptions options = Options(Durability::kGroup);
  options.held_answers = 2;
  MustStart(options);
  const Address echo = ServeEcho();
  Port port = fabric_->OpenPort();
  for (uint64_t i = 0; i < 3; ++i) Ask(port, echo, Number{i});
  PollShardsUntilIdle();
  files_->FailSync(absl::InternalError("Input/output error"));
  EXPECT_FALSE(fabric_->Stop().ok());
  EXPECT_EQ(DeadLetters(DeadLetterCause::kNotDurable), 3u);
  EXPECT_EQ(TakeAnswers(*fabric_, port).size(), 3u) << "each caller is told";
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(FabricDurabilityTest, ANameIsDurableWhenItIsGiven) {
  MustStart(Durability::kGroup, 3);
  const Address echo = fabric_->Intern("echo");
  LosePower();
  MustStart(Durability::kGroup, 3);
  EXPECT_EQ(fabric_->Find("echo"), echo.id);
}

TEST_F(FabricDurabilityTest, AChangeOfRoutesIsDurableWhenItIsMade) {
  MustStart(Durability::kGroup, 2);
  ASSERT_TRUE(fabric_->AddMailbox(9).ok());
  LosePower();
  MustStart(Durability::kGroup, 2);
  EXPECT_EQ(fabric_->routing_epoch(), 1u);
}

TEST_F(FabricDurabilityTest, JournalsOfShardsThatAreGoneHoldNothingUp) {
  MustStart(Durability::kGroup, 3);
  for (const char* name : {"a", "b", "c", "d"}) ServeEcho(name);
  for (const uint32_t shards : {1u, 2u, 4u, 1u}) {
    LosePower();
    MustStart(Durability::kGroup, shards);
    for (const char* name : {"a", "b", "c", "d"}) {
      const Address echo = ServeEcho(name);
      Port port = fabric_->OpenPort();
      EXPECT_TRUE(port.SendDurable(echo, Number{shards}, kLong).ok());
    }
    ExpectAddsUp();
  }
  uint64_t numbers = 0;
  EXPECT_TRUE(ScanJournals(*files_, "run", [&](const RecoveredFrame& recovered) {
                numbers += recovered.frame.header.type == TypeId<Number>();
                return true;
              }).ok());
  EXPECT_EQ(numbers, 16u);
}

TEST_F(FabricDurabilityTest, WhatAKilledProcessLeftIsDurableWhenTheNextOneRuns) {
  MustStart(Durability::kGroup, 2);
  const Address echo = ServeEcho();
  Port feed = fabric_->OpenPort({.name = "feed"});
  ASSERT_EQ(feed.Send(echo, Number{1}), SendResult::kOk);
  PollShardsUntilIdle();
  std::unique_ptr<SimulatedFiles> after = files_->AfterKill();
  feed = Port();
  fabric_ = nullptr;
  old_files_.push_back(std::exchange(files_, std::move(after)));
  MustStart(Durability::kGroup, 2);
  feed = fabric_->OpenPort({.name = "feed"});
  EXPECT_EQ(feed.SendDurable(echo, Number{1}, kLong).status().code(),
            absl::StatusCode::kAlreadyExists);
  feed = Port();
  LosePower();
  uint64_t numbers = 0;
  EXPECT_TRUE(ScanJournals(*files_, "run", [&](const RecoveredFrame& recovered) {
                numbers += recovered.frame.header.type == TypeId<Number>();
                return true;
              }).ok());
  EXPECT_EQ(numbers, 1u);
}

// A snapshot that knows what a power loss takes does not fit what is left, and behind what was removed
// there is no other.
TEST_F(FabricDurabilityTest, WhereverRetentionEndsTheNextStartHasASnapshotThatFits) {
  for (int syncs = 0; syncs < 12; ++syncs) {
    SCOPED_TRACE(syncs);
    files_ = std::make_unique<SimulatedFiles>();
    MustStart(Durability::kGroup);
    const Address echo = ServeEcho();
    const auto send = [&](uint64_t count) {
      Port port = fabric_->OpenPort();
      for (uint64_t i = 0; i < count; ++i) {
        ASSERT_EQ(port.Send(echo, Number{100 + i}), SendResult::kOk);
        PollShards();
        PollShards();
      }
    };
    const auto retain = [&] {
      return fabric_->Retain({.before = fabric_->shard(0).journal()->tail()});
    };
    send(1'500);
    const auto removed = retain();
    ASSERT_TRUE(removed.ok()) << removed.status();
    ASSERT_GT((*removed)[0].records, 0u);
    send(5);
    files_->FailSync(absl::InternalError("Input/output error"), syncs);
    retain().IgnoreError();
    LosePower();
    ASSERT_NO_FATAL_FAILURE(MustStart(Durability::kGroup));
    EXPECT_EQ(fabric_->Find("echo"), echo.id);
    fabric_ = nullptr;
  }
}

TEST_F(FabricDurabilityTest, ACommitThatFailsAtTheStartIsTheAnswerOfStart) {
  files_->FailSync(absl::InternalError("Input/output error"));
  EXPECT_FALSE(Fabric::Start(Options(Durability::kGroup, 2)).ok());
}

}  // namespace
}  // namespace bitactor::test
