// What a system keeps of its actors, how the next start begins with it, and what may then be removed:
// one situation a test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l3_genactor/guarded.h"
#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace snapshot_test {

using ::testing::HasSubstr;

struct Deposit {
  uint64_t account;
  int64_t cents;
};
struct Balance {
  uint64_t account;
  using Reply = int64_t;
};
struct Pass {
  Address to;
  int64_t cents;
};
struct Nap {
  int64_t microseconds;
};
struct Watch {
  Address whom;
};
struct Leave {
  uint64_t unused;
};
struct Fail {
  uint64_t unused;
};

// Its state has containers, an optional and a double.
class Ledger : public Actor<Ledger, Deposit, Balance, Pass, Nap, Watch, Down, Leave, Fail> {
 public:
  void On(const Deposit& m) {
    balances_[m.account] += m.cents;
    history_.push_back(m.cents);
    last_ = m.account;
    mean_ += (static_cast<double>(m.cents) - mean_) / static_cast<double>(history_.size());
  }
  int64_t On(const Balance& m) { return balances_[m.account]; }
  void On(const Pass& m) { Cast(Ref<Ledger>{m.to}, Deposit{1, m.cents}); }
  Task<void> On(Nap m) {
    co_await Sleep(absl::Microseconds(m.microseconds));
    notes_ = "slept";
  }
  void On(const Watch& m) { Monitor(Ref<Ledger>{m.whom}); }
  void On(const Down&) { balances_[99] += 1; }
  void On(const Leave&) { Stop(); }
  void On(const Fail&) { throw std::runtime_error("told to fail"); }

  auto State() const { return std::tie(balances_, history_, last_, mean_, notes_); }
  const std::vector<int64_t>& history() const { return history_; }

 private:
  std::map<uint64_t, int64_t> balances_;
  std::vector<int64_t> history_;
  std::optional<uint64_t> last_;
  double mean_ = 0;
  std::string notes_;
};

// Its digest is all that it says of its state.
class Sealed : public Actor<Sealed, Deposit, Balance> {
 public:
  void On(const Deposit& m) { *sum_ += m.cents; }
  int64_t On(const Balance&) { return *sum_; }
  template <typename D>
  void Digest(D& digest) const {
    digest.Add(static_cast<uint64_t>(*sum_));
  }

 private:
  std::unique_ptr<int64_t> sum_ = std::make_unique<int64_t>(0);
};

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  SystemOptions Options() {
    SystemOptions options = test::DurableOptions(files_.get(), &clock_);
    options.snapshot_every = every_;
    options.digest_every = digest_every_;
    options.keep_history = keep_history_;
    return options;
  }
  void Start(bool from_snapshots = true) {
    SystemOptions options = Options();
    options.from_snapshots = from_snapshots;
    auto started = System::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    system_ = *std::move(started);
    supervisor_ = system_->Supervise({.max_restarts = 100});
    a_ = supervisor_->Spawn<Ledger>("a", Restart::kTransient);
    // Another shard's.
    std::string name = "b";
    while (system_->fabric().ShardOf(system_->fabric().Intern(name).id) == ShardOf(a_)) name += "'";
    b_ = supervisor_->Spawn<Ledger>(name);
    b_name_ = name;
    ASSERT_TRUE(a_.ok()) << a_.status();
    ASSERT_TRUE(b_.ok()) << b_.status();
  }
  void Kill() {
    std::unique_ptr<test::SimulatedFiles> left = files_->AfterKill();
    system_.reset();
    files_ = std::move(left);
  }
  void KillAndStart() {
    Kill();
    Start();
  }
  uint32_t ShardOf(const Handle<Ledger>& actor) {
    return system_->fabric().ShardOf(actor.ref().address.id);
  }
  void Poll(const Handle<Ledger>& actor) { system_->fabric().engine(ShardOf(actor)).Poll(); }
  void Fill(int64_t count) {
    for (int64_t i = 1; i <= count; ++i) {
      a_.Cast(Deposit{static_cast<uint64_t>(i % 5), i});
      b_.Cast(Deposit{1, i});
      if (i % 100 == 0) system_->WaitIdle();
    }
    system_->WaitIdle();
  }
  uint64_t DigestOfWholeHistory() {
    auto replay = System::Replay(
        {.journal_dir = "run", .until = {}, .files = files_.get(), .from_snapshots = false});
    EXPECT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE((*replay)->Spawn<Ledger>("a").ok());
    EXPECT_TRUE((*replay)->Spawn<Ledger>(b_name_).ok());
    return (*replay)->Digest();
  }
  std::vector<std::string> SnapshotFiles() {
    std::vector<std::string> names;
    const auto listed = files_->List("run/actors");
    for (const std::string& name : *listed) {
      if (name.ends_with(".snap")) names.push_back("run/actors/" + name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  void Damage(const std::string& path) { files_->FlipBit(path, files_->Read(path).size() / 2, 3); }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_ = std::make_unique<test::SimulatedFiles>();
  uint64_t every_ = 0;
  uint64_t digest_every_ = 0;
  bool keep_history_ = true;
  std::unique_ptr<System> system_;
  std::optional<SupervisorRef> supervisor_;
  Handle<Ledger> a_;
  Handle<Ledger> b_;
  std::string b_name_;
};

TEST_F(SnapshotTest, AStartReplaysOnlyWhatCameAfterIt) {
  Fill(300);
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->number, 1u);
  EXPECT_EQ(report->actors, 2u);
  Fill(7);
  const uint64_t digest = system_->Digest();
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_LT(system_->recovered_frames(), 30u);
  EXPECT_TRUE(system_->SnapshotStatus().ok()) << system_->SnapshotStatus();
  EXPECT_EQ(DigestOfWholeHistory(), digest);
}

TEST_F(SnapshotTest, WhatIsOnItsWayIsInItAndTakesEffectOnce) {
  const Address b = b_.ref().address;
  for (int64_t n = 1; n <= 3; ++n) a_.Cast(Pass{b, n});
  Poll(a_);  // a sent three, b has taken none
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->outbox_frames, 3u);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{1}).value_or(-1), 6);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{1}).value_or(-1), 6);
}

TEST_F(SnapshotTest, WhatWaitsForASuspendedActorIsInIt) {
  b_.Cast(Nap{100});
  system_->WaitIdle();
  a_.Cast(Pass{b_.ref().address, 5});
  system_->WaitIdle();
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->outbox_frames, 1u);
  EXPECT_EQ(report->suspended, 1u);
  EXPECT_EQ(report->actors, 1u);
  KillAndStart();
  clock_.Advance(101'000);
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{1}).value_or(-1), 5);
}

TEST_F(SnapshotTest, MessagesKeepTheirIdentityBehindIt) {
  a_.Cast(Pass{b_.ref().address, 1});
  system_->WaitIdle();
  ASSERT_TRUE(system_->Snapshot().ok());
  KillAndStart();
  a_.Cast(Pass{b_.ref().address, 2});
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{1}).value_or(-1), 3) << "the second is no duplicate of the first";
}

TEST_F(SnapshotTest, MonitorsAreInIt) {
  b_.Cast(Watch{a_.ref().address});
  system_->WaitIdle();
  ASSERT_TRUE(system_->Snapshot().ok());
  KillAndStart();
  a_.Cast(Fail{});
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{99}).value_or(-1), 1);
}

TEST_F(SnapshotTest, ACrashBringsBackTheStateFromItAndWhatCameAfter) {
  Fill(20);
  ASSERT_TRUE(system_->Snapshot().ok());
  Fill(5);
  const uint64_t digest = system_->Digest();
  a_.Cast(Fail{});
  system_->WaitIdle();
  EXPECT_EQ(system_->restarts(), 1u);
  EXPECT_EQ(system_->Digest(), digest);
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  a_.Cast(Fail{});
  system_->WaitIdle();
  EXPECT_EQ(system_->Digest(), digest);
}

TEST_F(SnapshotTest, AnActorThatHadEndedBeginsAnewBehindIt) {
  a_.Cast(Pass{b_.ref().address, 1});
  a_.Cast(Leave{});
  system_->WaitIdle();
  ASSERT_TRUE(system_->Snapshot().ok());
  KillAndStart();
  EXPECT_EQ(a_.Call(Balance{1}).value_or(-1), 0) << "a fresh start";
  a_.Cast(Pass{b_.ref().address, 2});
  system_->WaitIdle();
  EXPECT_EQ(b_.Call(Balance{1}).value_or(-1), 3);
}

TEST_F(SnapshotTest, ADamagedOneIsPassedOverForTheOneBeforeIt) {
  Fill(50);
  ASSERT_TRUE(system_->Snapshot().ok());
  Fill(50);
  ASSERT_TRUE(system_->Snapshot().ok());
  Fill(3);
  const uint64_t digest = system_->Digest();
  Kill();
  ASSERT_EQ(SnapshotFiles().size(), 2u);
  Damage(SnapshotFiles().back());
  Start();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_EQ(system_->SnapshotStatus().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(system_->SnapshotStatus().message(), HasSubstr(".snap"));
  // The next one takes its place.
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_TRUE(system_->SnapshotStatus().ok()) << system_->SnapshotStatus();
}

TEST_F(SnapshotTest, OneOfAnotherJournalIsNotUsed) {
  Fill(50);
  ASSERT_TRUE(system_->Snapshot().ok());
  const std::string path = SnapshotFiles().front();
  const std::vector<std::byte> bytes = files_->Read(path);
  system_.reset();
  // Another run of about that length, in which nothing was kept.
  files_ = std::make_unique<test::SimulatedFiles>();
  Start();
  Fill(60);
  const uint64_t digest = system_->Digest();
  Kill();
  ASSERT_TRUE(files_->CreateDir("run/actors").ok());
  auto copy = files_->Open(path, FileSystem::OpenMode::kCreate);
  ASSERT_TRUE(copy.ok()) << copy.status();
  ASSERT_TRUE((*copy)->WriteAt(0, bytes).ok());
  Start();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_THAT(system_->SnapshotStatus().message(), HasSubstr("another journal"));
}

TEST_F(SnapshotTest, RecordsThatItHoldsMayGo) {
  Fill(1500);  // some segments
  ASSERT_TRUE(system_->Snapshot().ok());
  Fill(700);
  ASSERT_TRUE(system_->Snapshot().ok());
  const auto reports = system_->Retain({.before = Position::None()});
  ASSERT_TRUE(reports.ok()) << reports.status();
  EXPECT_GT((*reports)[0].segments, 0u);
  EXPECT_GT((*reports)[1].segments, 0u);
  Fill(5);
  const uint64_t digest = system_->Digest();
  a_.Cast(Fail{});  // comes back without what was removed
  system_->WaitIdle();
  EXPECT_EQ(system_->Digest(), digest);
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  Fill(5);
  const uint64_t later = system_->Digest();
  // Nobody can go back before it.
  Kill();
  auto replay = System::Replay({.journal_dir = "run", .until = {}, .files = files_.get()});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_TRUE((*replay)->Spawn<Ledger>("a").ok());
  EXPECT_TRUE((*replay)->Spawn<Ledger>(b_name_).ok());
  EXPECT_EQ((*replay)->Digest(), later);
  EXPECT_EQ(System::Replay(
                {.journal_dir = "run", .until = {}, .files = files_.get(), .from_snapshots = false})
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
  // The newest is damaged: the one before it has all that it needs.
  Damage(SnapshotFiles().back());
  Start();
  EXPECT_EQ(system_->Digest(), later);
}

TEST_F(SnapshotTest, WhoComesAfterRecordsWereRemovedNeedsNoneOfThem) {
  Fill(1500);
  ASSERT_TRUE(system_->Snapshot().ok());
  EXPECT_EQ(system_->fabric().Retain({.before = Position::None()}).status().code(),
            absl::StatusCode::kFailedPrecondition)
      << "the fabric does not know what actors need";
  ASSERT_TRUE(system_->Retain({.before = Position::None()}).ok());
  const auto spawn = [this] {
    Handle<Ledger> late = supervisor_->Spawn<Ledger>("late");
    EXPECT_TRUE(late.ok()) << late.status();
    return late;
  };
  Handle<Ledger> late = spawn();
  late.Cast(Deposit{1, 5});
  late.Cast(Fail{});
  EXPECT_EQ(late.Call(Balance{1}).value_or(-1), 5);
  late.Cast(Nap{100});
  system_->WaitIdle();
  ASSERT_TRUE(system_->Snapshot().ok());  // it is suspended
  KillAndStart();
  EXPECT_TRUE(system_->SnapshotStatus().ok()) << system_->SnapshotStatus();
  EXPECT_LT(system_->recovered_frames(), 2000u);
  late = spawn();
  clock_.Advance(101'000);
  system_->fabric().Poll();
  system_->WaitIdle();
  EXPECT_EQ(late.Call(Balance{1}).value_or(-1), 5);
}

TEST_F(SnapshotTest, WhatAnActorWithoutAStateNeedsIsKept) {
  const auto sealed = supervisor_->Spawn<Sealed>("sealed");
  sealed.Cast(Deposit{0, 4});
  Fill(1500);
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->unsupported, 1u);
  const auto reports = system_->Retain({.before = Position::None()});
  ASSERT_TRUE(reports.ok()) << reports.status();
  KillAndStart();
  const auto again = supervisor_->Spawn<Sealed>("sealed");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again.Call(Balance{0}).value_or(-1), 4);
}

TEST_F(SnapshotTest, TheyAreTakenByThemselvesAndHistoryGoes) {
  Kill();
  every_ = 1000;
  keep_history_ = false;
  Start();
  Fill(4000);
  EXPECT_TRUE(system_->SnapshotStatus().ok()) << system_->SnapshotStatus();
  EXPECT_EQ(SnapshotFiles().size(), 3u) << "the newest three are kept";
  EXPECT_GT(system_->fabric().shard(0).journal()->Retain({})->first, Position::Begin());
  const uint64_t digest = system_->Digest();
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_LT(system_->recovered_frames(), 3000u);
}

TEST_F(SnapshotTest, AReplayBeginsWithTheLastOneBeforeItsPlace) {
  Fill(200);
  ASSERT_TRUE(system_->Snapshot().ok());
  Fill(20);
  const Position place = system_->fabric().shard(ShardOf(a_)).journal()->tail();
  const uint32_t shard = ShardOf(a_);
  Fill(200);
  ASSERT_TRUE(system_->Snapshot().ok());
  Kill();
  const auto digest_and_frames = [&](bool from_snapshots) {
    auto replay = System::Replay({.journal_dir = "run",
                                  .until = Place{shard, place},
                                  .files = files_.get(),
                                  .from_snapshots = from_snapshots});
    EXPECT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE((*replay)->Spawn<Ledger>("a").ok());
    EXPECT_TRUE((*replay)->Spawn<Ledger>(b_name_).ok());
    return std::pair((*replay)->Digest(), (*replay)->recovered_frames());
  };
  const auto [digest, frames] = digest_and_frames(true);
  const auto [whole_digest, whole_frames] = digest_and_frames(false);
  EXPECT_EQ(digest, whole_digest);
  EXPECT_LT(frames + 300, whole_frames);
}

struct Arrange {
  Address peer;
};
struct Tick {
  uint64_t unused;
};
struct Ask {
  uint64_t unused;
  using Reply = int64_t;
};
struct Release {
  int64_t answer;
};
struct Seen {
  uint64_t unused;
  using Reply = int64_t;
};

// What the runtime keeps for it: a timer, a link, a call that is answered later.
class Arranger : public Actor<Arranger, Arrange, Tick, Exit, Ask, Release, Seen> {
 public:
  static constexpr bool kTrapExits = true;
  void On(const Arrange& m) {
    SendAfter(absl::Microseconds(100), Tick{});
    Link(Ref<Ledger>{m.peer});
  }
  void On(const Tick&) { seen_ += 1; }
  void On(const Exit&) { seen_ += 10; }
  void On(const Ask&, const ReplyTo<int64_t>& later) { later_ = later; }
  void On(const Release& m) { Reply(later_, m.answer); }
  int64_t On(const Seen&) { return seen_; }
  auto State() const { return std::tie(seen_, later_); }

 private:
  int64_t seen_ = 0;
  ReplyTo<int64_t> later_;
};

struct Fetch {
  Ref<Arranger> from;
};
class Fetcher : public Actor<Fetcher, Fetch, Seen> {
 public:
  Task<void> On(Fetch m) { got_ = co_await Call(m.from, Ask{}, absl::InfiniteDuration()); }
  int64_t On(const Seen&) { return got_; }

 private:
  int64_t got_ = 0;
};

TEST_F(SnapshotTest, TimersLinksAndOpenCallsAreInIt) {
  Handle<Arranger> arranger = supervisor_->Spawn<Arranger>("arranger");
  Handle<Fetcher> fetcher = supervisor_->Spawn<Fetcher>("fetcher");
  arranger.Cast(Arrange{a_.ref().address});
  fetcher.Cast(Fetch{arranger});
  system_->WaitIdle();
  const absl::StatusOr<SnapshotReport> report = system_->Snapshot();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->suspended, 1u);
  KillAndStart();
  arranger = supervisor_->Spawn<Arranger>("arranger");
  fetcher = supervisor_->Spawn<Fetcher>("fetcher");
  ASSERT_TRUE(arranger.ok()) << arranger.status();
  EXPECT_EQ(arranger.Call(Seen{}).value_or(-1), 0);
  clock_.Advance(101'000);
  system_->fabric().Poll();
  system_->WaitIdle();
  EXPECT_EQ(arranger.Call(Seen{}).value_or(-1), 1);
  a_.Cast(Leave{});
  arranger.Cast(Release{42});
  system_->WaitIdle();
  EXPECT_EQ(arranger.Call(Seen{}).value_or(-1), 11);
  EXPECT_EQ(fetcher.Call(Seen{}).value_or(-1), 42);
}

// A field more than when the snapshot was made.
class Wider : public Actor<Wider, Deposit> {
 public:
  static constexpr std::string_view kTypeName = "test::Grown";
  void On(const Deposit&) {}
  auto State() const { return std::tie(a_, b_); }

 private:
  int64_t a_ = 0;
  int64_t b_ = 0;
};
class Narrow : public Actor<Narrow, Deposit> {
 public:
  static constexpr std::string_view kTypeName = "test::Grown";
  void On(const Deposit&) {}
  auto State() const { return std::tie(a_); }

 private:
  int64_t a_ = 0;
};

TEST_F(SnapshotTest, AStateOfAnotherLayoutIsRefusedAndTheWholeHistoryIsAWayOut) {
  ASSERT_TRUE(supervisor_->Spawn<Narrow>("grown").ok());
  Fill(1);
  ASSERT_TRUE(system_->Snapshot().ok());
  KillAndStart();
  const absl::Status status = supervisor_->Spawn<Wider>("grown").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("laid out"));
  Kill();
  Start(/*from_snapshots=*/false);
  EXPECT_TRUE(supervisor_->Spawn<Wider>("grown").ok());
}

// The same messages; what they do is up to the program.
template <int64_t kFactor>
class Program : public Actor<Program<kFactor>, Deposit> {
 public:
  static constexpr std::string_view kTypeName = "test::Program";
  void On(const Deposit& m) { sum_ += m.cents == 7 ? m.cents * kFactor : m.cents; }
  auto State() const { return std::tie(sum_); }

 private:
  int64_t sum_ = 0;
};

TEST_F(SnapshotTest, AChangedProgramIsFoundWhereItWentAnotherWay) {
  Kill();
  digest_every_ = 2;
  Start();
  const auto before = supervisor_->Spawn<Program<1>>("program");
  for (int64_t n = 1; n <= 10; ++n) {
    before.Cast(Deposit{0, n});
    system_->WaitIdle();
  }
  before.Cast(Deposit{0, 11});  // no digest yet
  system_->WaitIdle();
  KillAndStart();
  EXPECT_TRUE(supervisor_->Spawn<Program<1>>("program").ok());
  KillAndStart();
  const absl::Status status = supervisor_->Spawn<Program<2>>("program").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("\"program\" differs from its run: behind message"));
  EXPECT_THAT(status.message(), HasSubstr("; it agreed at "));
  // Behind the eighth message, for the seventh is the first that it handles in another way.
  std::vector<Place> places;
  std::vector<uint64_t> ids;
  auto replay = System::Replay({.journal_dir = "run",
                                .until = {},
                                .files = files_.get(),
                                .from_snapshots = false,
                                .on_step = [&](const ReplayStep& step) {
                                  places.push_back(step.place);
                                  ids.push_back(step.message.header.message_id);
                                }});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_TRUE((*replay)->Spawn<Program<1>>("program").ok());
  ASSERT_EQ(ids.size(), 11u);
  EXPECT_THAT(status.message(), HasSubstr(":" + std::to_string(ids[7]) + ", before"));
}

TEST_F(SnapshotTest, AReplayShowsTheStateBeforeEachMessage) {
  b_.Cast(Deposit{1, 5});
  b_.Cast(Deposit{1, 6});
  b_.Cast(Deposit{1, 7});
  system_->WaitIdle();
  std::vector<size_t> handled;
  auto replay = System::Replay({.journal_dir = "run",
                                .until = {},
                                .files = files_.get(),
                                .from_snapshots = true,
                                .on_step = [&](const ReplayStep& step) {
                                  ASSERT_EQ(step.class_type, TypeId<Ledger>());
                                  const auto& ledger = *static_cast<const Ledger*>(step.state);
                                  handled.push_back(ledger.history().size());
                                }});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_TRUE((*replay)->Spawn<Ledger>(b_name_).ok());
  EXPECT_EQ(handled, (std::vector<size_t>{0, 1, 2}));
}

TEST(SnapshotWithoutJournalTest, IsRefused) {
  auto system = System::Start({.fabric = {.threads = false}}).value();
  EXPECT_EQ(system->Snapshot().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(system->Retain({}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace snapshot_test
}  // namespace bitactor
