// Several calls at once.
#include "bitactor/l3_genactor/request_set.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"

namespace bitactor {
namespace request_set_test {

struct Price {
  uint64_t after_us;
  using Reply = int64_t;
};
struct NameOf {
  using Reply = bool;
};

class Venue : public Actor<Venue, Price, NameOf> {
 public:
  explicit Venue(int64_t price = 0) : price_(price) {}
  Task<int64_t> On(Price m) {
    if (m.after_us != 0) co_await Sleep(absl::Microseconds(m.after_us));
    if (price_ < 0) throw std::runtime_error("no market");
    co_return price_;
  }
  bool On(const NameOf&) { return price_ > 0; }

 private:
  int64_t price_;
};

// How the buyer asks; what it found out is one number, by which the test knows.
enum class Way : uint64_t { kFirst, kInOrderOfComing, kTwice, kEmpty, kAll, kMulti };
struct Buy {
  Way way;
  Ref<Venue> venues[4];
  using Reply = int64_t;
};

class Buyer : public Actor<Buyer, Buy> {
 public:
  Task<int64_t> On(Buy m) {
    switch (m.way) {
      case Way::kFirst:
        co_return co_await First(m);
      case Way::kInOrderOfComing:
        co_return co_await InOrderOfComing(m);
      case Way::kTwice: {
        RequestSet<int64_t> set;
        if (!set.Add(7, m.venues[0], Price{0}).ok()) co_return -1;
        const absl::Status again = set.Add(7, m.venues[1], Price{0});
        co_return 100 * static_cast<int64_t>(set.size()) + static_cast<int64_t>(again.code());
      }
      case Way::kEmpty: {
        RequestSet<int64_t> set;
        const auto none = co_await set.Next();
        co_return static_cast<int64_t>(none.result.status().code());
      }
      case Way::kAll: {
        const auto [price, open, nobody] =
            co_await All(TryCall(m.venues[0], Price{50}), TryCall(m.venues[1], NameOf{}),
                         TryCall(Ref<Venue>{Address{ActorId{4'711}}}, Price{0}));
        co_return price.value_or(-1) * 1000 + open.value_or(false) * 100 +
            static_cast<int64_t>(nobody.status().code());
      }
      case Way::kMulti: {
        std::vector<Ref<Venue>> venues(std::begin(m.venues), std::end(m.venues));
        const auto prices = co_await MultiCall(venues, Price{60}, absl::Microseconds(100));
        int64_t digits = 0;
        for (const auto& price : prices) {
          digits =
              digits * 100 + (price.ok() ? *price : static_cast<int64_t>(price.status().code()));
        }
        co_return digits;
      }
    }
    co_return -1;
  }

 private:
  // The first answer; the others are never seen.
  // [racing]
  Task<int64_t> First(Buy m) {
    RequestSet<int64_t> set;
    for (uint64_t i = 0; i < 3; ++i) set.Add(i, m.venues[i], Price{30 - 10 * i}).IgnoreError();
    const auto first = co_await set.Next();
    co_return 10 * first.result.value_or(-1) + static_cast<int64_t>(first.label);
  }
  // [racing]
  // All of them: the last is too slow, the last but one fails.
  Task<int64_t> InOrderOfComing(Buy m) {
    RequestSet<int64_t> set;
    for (uint64_t i = 0; i < 4; ++i) {
      set.Add(i + 1, m.venues[i], Price{40 - 10 * i}, absl::Microseconds(38)).IgnoreError();
    }
    int64_t digits = 0;
    while (!set.empty()) {
      const auto next = co_await set.Next();
      const int64_t result =
          next.result.ok() ? 0 : static_cast<int64_t>(next.result.status().code());
      digits = digits * 1000 + static_cast<int64_t>(next.label) * 100 + result;
    }
    co_return digits;
  }
};

class RequestSetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SystemOptions options;
    options.shards = 2;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    system_ = System::Start(options).value();
    buyer_ = system_->Spawn<Buyer>("buyer");
    for (int i = 0; i < 4; ++i) {
      // The third one fails.
      venues_.push_back(system_->Spawn<Venue>("venue" + std::to_string(i),
                                              i == 2 ? int64_t{-1} : int64_t{10 + i}));
    }
  }
  void TearDown() override { EXPECT_TRUE(system_->Counters().AddUp()); }
  // What the buyer found out within 100 us.
  int64_t Ask(Way way, const std::vector<int>& venues) {
    Buy buy{way, {}};
    for (size_t i = 0; i < venues.size(); ++i) buy.venues[i] = venues_[venues[i]];
    auto answer = buyer_.CallAsync(buy);
    system_->WaitIdle();
    for (int i = 0; i < 110; ++i) {
      clock_.Advance(1'000);
      system_->fabric().Poll();
      system_->WaitIdle();
    }
    return answer.Wait().value_or(-1);
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
  Handle<Buyer> buyer_;
  std::vector<Handle<Venue>> venues_;
};

TEST_F(RequestSetTest, S22_TheFirstAnswerWinsWithItsLabel) {
  EXPECT_EQ(Ask(Way::kFirst, {0, 1, 3}), 10 * 13 + 2);
  EXPECT_EQ(Ask(Way::kFirst, {0, 1, 3}), 10 * 13 + 2)
      << "late answers of the set before are not seen";
}

TEST_F(RequestSetTest, S22_AnswersFailuresAndTimeoutsComeInTheirOrder) {
  EXPECT_EQ(Ask(Way::kInOrderOfComing, {0, 1, 2, 3}), 400'313'200'104)
      << "the fourth, the third's INTERNAL (13), the second, the first's DEADLINE_EXCEEDED (4)";
}

TEST_F(RequestSetTest, S22_ARequestIsAddedOnce) {
  EXPECT_EQ(Ask(Way::kTwice, {0, 1}),
            100 + static_cast<int64_t>(absl::StatusCode::kInvalidArgument));
}

TEST_F(RequestSetTest, S22_AnEmptySetHasNoRequest) {
  EXPECT_EQ(Ask(Way::kEmpty, {}), static_cast<int64_t>(absl::StatusCode::kNotFound));
}

TEST_F(RequestSetTest, AllGivesWhatBecameOfEach) {
  EXPECT_EQ(Ask(Way::kAll, {0, 1}),
            10'000 + 100 + static_cast<int64_t>(absl::StatusCode::kNotFound));
}

TEST_F(RequestSetTest, AMultiCallGivesWhatBecameOfEachInTheirOrder) {
  EXPECT_EQ(Ask(Way::kMulti, {0, 1, 2, 3}), 10'11'13'13) << "the third fails with INTERNAL (13)";
  venues_[1].Stop();
  EXPECT_EQ(Ask(Way::kMulti, {0, 1, 3, 0}), 10'05'13'04)
      << "one is gone, and who is asked twice is too slow the second time";
}

}  // namespace request_set_test
}  // namespace bitactor
