// Messages of several priorities at a mailbox that cannot run, over handovers and restarts.
#include "bitactor/l2_mailbox/priority.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::PriorityNumber";
  uint64_t value;
};

class PriorityTest : public ::testing::Test {
 protected:
  std::unique_ptr<Fabric> Start() {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 1024;
    return Fabric::Start(options).value();
  }
  Address ServeNoting(Fabric& fabric) {
    return fabric.Serve("store", [this](const Message& m, Sender&) {
      seen_.push_back(m.As<Number>().value);
      priorities_.push_back(m.priority());
    });
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::vector<uint64_t> seen_;
  std::vector<Priority> priorities_;
};

TEST_F(PriorityTest, WhereNothingWaitsItChangesNothing) {
  auto fabric = Start();
  const Address store = ServeNoting(*fabric);
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 8; ++i) port.Post(store, Number{i}, static_cast<Priority>(i % 4));
  port.Flush();
  fabric->WaitIdle();
  EXPECT_EQ(seen_, (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(priorities_[7], Priority::kUrgent);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(PriorityTest, WhatWaitedIsHandledByPriorityAndThenInOrder) {
  auto fabric = Start();
  const Address store = ServeNoting(*fabric);
  ASSERT_TRUE(fabric->Suspend(store).ok());
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 8; ++i) {
    port.Send(store, Number{i}, {.priority = static_cast<Priority>(i % 4)});
  }
  fabric->WaitIdle();
  EXPECT_TRUE(seen_.empty());
  ASSERT_TRUE(fabric->Resume(store).ok());
  EXPECT_EQ(seen_, (std::vector<uint64_t>{3, 7, 2, 6, 1, 5, 0, 4}));
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(PriorityTest, WhatWaitedForANameIsServedByPriority) {
  auto fabric = Start();
  const Address store = fabric->Intern("store");
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 8; ++i) port.Post(store, Number{i}, static_cast<Priority>(i % 4));
  port.Flush();
  fabric->WaitIdle();
  ServeNoting(*fabric);
  EXPECT_EQ(seen_, (std::vector<uint64_t>{3, 7, 2, 6, 1, 5, 0, 4}));
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(PriorityTest, AHandlerSetsThePriorityOfWhatItSends) {
  auto fabric = Start();
  const Address store = ServeNoting(*fabric);
  const Address source = fabric->Serve("source", [store](const Message& m, Sender& out) {
    out.Send(store, m.As<Number>());
    out.Send(store, m.As<Number>(), m.priority());
  });
  Port port = fabric->OpenPort();
  port.Send(source, Number{1}, {.priority = Priority::kHigh});
  fabric->WaitIdle();
  EXPECT_EQ(priorities_, (std::vector<Priority>{kDefaultPriority, Priority::kHigh}));
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(PriorityTest, ACallHasOneToo) {
  auto fabric = Start();
  Priority seen = kDefaultPriority;
  const Address echo = fabric->Serve("echo", [&](const Message& m, Sender& out) {
    seen = m.priority();
    out.Reply(m.As<Number>());
  });
  Port port = fabric->OpenPort();
  EXPECT_TRUE(port.Call(echo, Number{1}, 1'000'000, Priority::kRaised).ok());
  EXPECT_EQ(seen, Priority::kRaised);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

// A named port sends to a mailbox that is suspended at times, so that the higher priorities overtake;
// the process is killed anywhere, the feed is read again.
class KilledFeed {
 public:
  static constexpr uint64_t kMessages = 200;

  explicit KilledFeed(uint64_t seed)
      : random_(seed), files_(std::make_unique<test::SimulatedFiles>()) {
    for (uint64_t i = 0; i < kMessages; ++i) feed_.push_back(static_cast<Priority>(random_() % 4));
  }
  // False: it was killed before all was handled.
  bool Live() {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.journal_dir = "run";
    options.journal.prepare_ahead = false;
    options.journal.segment_bytes = 1 << 18;
    options.journal.files = files_.get();
    auto fabric = Fabric::Start(options).value();
    std::unique_ptr<test::SimulatedFiles> left;
    const Address store = fabric->Serve("store", [&](const Message& m, Sender&) {
      if (left != nullptr) return;  // it is dead already
      taken_.push_back(m.As<Number>().value);
      if (random_() % 100 == 0) left = files_->AfterKill();
    });
    Port port = fabric->OpenPort({.name = "feed"});
    bool gap = false;
    for (uint64_t i = 0; i < kMessages; ++i) {
      clock_.Advance(10);
      const SendResult result = port.Send(store, Number{i}, {.priority = feed_[i]});
      EXPECT_TRUE(result == SendResult::kOk || result == SendResult::kAlreadyTaken);
      gap |= result == SendResult::kOk;
      taken_above_a_gap_ += gap && result == SendResult::kAlreadyTaken;
      const uint64_t act = random_() % 32;
      EXPECT_TRUE((act < 2    ? fabric->Suspend(store)
                   : act == 2 ? fabric->Resume(store)
                              : absl::Status())
                      .ok());
      if (random_() % 2 == 0) fabric->Poll();
    }
    fabric->WaitIdle();
    EXPECT_TRUE(fabric->Resume(store).ok());
    EXPECT_TRUE(fabric->Counters().AddUp());
    port = Port();
    fabric.reset();
    if (left == nullptr) return true;
    files_ = std::move(left);
    return false;
  }
  // What was handled, in order, of what the last kill left.
  const std::vector<uint64_t>& taken() const { return taken_; }
  uint64_t taken_above_a_gap() const { return taken_above_a_gap_; }

 private:
  std::mt19937_64 random_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_;
  std::vector<Priority> feed_;
  std::vector<uint64_t> taken_;
  uint64_t taken_above_a_gap_ = 0;
};

TEST(KilledFeedTest, EachMessageIsHandledOnceWhateverItsPriority) {
  const uint64_t seed = test::Seed();
  uint64_t overtook = 0;
  uint64_t taken_above_a_gap = 0;
  uint64_t kills = 0;
  for (int round = 0; round < test::Rounds(20); ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    KilledFeed feed(seed + static_cast<uint64_t>(round));
    while (!feed.Live()) ++kills;
    std::vector<uint64_t> taken = feed.taken();
    for (size_t i = 1; i < taken.size(); ++i) overtook += taken[i] < taken[i - 1];
    taken_above_a_gap += feed.taken_above_a_gap();
    std::sort(taken.begin(), taken.end());
    ASSERT_EQ(taken.size(), KilledFeed::kMessages);
    for (uint64_t i = 0; i < taken.size(); ++i) ASSERT_EQ(taken[i], i) << "lost or doubled";
  }
  EXPECT_GT(overtook, 0u);
  EXPECT_GT(kills, 0u);
  EXPECT_GT(taken_above_a_gap, 0u) << "or one watermark for all priorities would do";
}

}  // namespace
}  // namespace bitactor
