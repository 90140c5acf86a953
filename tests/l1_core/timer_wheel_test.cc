#include "bitactor/l1_core/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TestTimer : public Timer {
 public:
  TestTimer(std::vector<int>& fired, int id) : fired_(&fired), id_(id) {}
  // Called beside the recording.
  std::function<void(uint64_t now_ns)> then = nullptr;

 private:
  void OnTimer(uint64_t now_ns) override {
    fired_->push_back(id_);
    if (then) then(now_ns);
  }

  std::vector<int>* fired_;
  int id_;
};

class TimerWheelTest : public ::testing::Test {
 protected:
  TimerWheel wheel_{1'000};
  std::vector<int> fired_;
  TestTimer a_{fired_, 1}, b_{fired_, 2}, c_{fired_, 3}, d_{fired_, 4};
};

TEST_F(TimerWheelTest, FiresAtTheDeadlineAndNotANanosecondEarlier) {
  wheel_.Arm(a_, 123'456'789);
  EXPECT_TRUE(a_.armed());
  EXPECT_EQ(wheel_.NextDeadlineNs(), 123'456'789u);
  EXPECT_EQ(wheel_.Advance(123'456'788), 0u);
  EXPECT_EQ(wheel_.Advance(123'456'789), 1u);
  EXPECT_THAT(fired_, ElementsAre(1));
  EXPECT_FALSE(a_.armed());
  EXPECT_EQ(wheel_.size(), 0u);
  EXPECT_EQ(wheel_.NextDeadlineNs(), TimerWheel::kNever);
}

TEST_F(TimerWheelTest, FiresInTheOrderOfDeadlines) {
  wheel_.Arm(a_, 70'000);
  wheel_.Arm(b_, 2'000);
  wheel_.Arm(c_, 5'000'000'000);
  wheel_.Arm(d_, 2'001);
  EXPECT_EQ(wheel_.Advance(6'000'000'000), 4u);
  EXPECT_THAT(fired_, ElementsAre(2, 4, 1, 3));
}

TEST_F(TimerWheelTest, EqualDeadlinesFireInTheOrderOfArmingThoughArmedFromDifferentDistances) {
  wheel_.Arm(a_, 100'000);
  wheel_.Advance(50'000);
  wheel_.Arm(b_, 100'000);
  wheel_.Advance(99'998);
  wheel_.Arm(c_, 100'000);
  wheel_.Arm(d_, 99'999);
  wheel_.Advance(99'999);
  wheel_.Arm(d_, 100'000);
  wheel_.Advance(100'000);
  EXPECT_THAT(fired_, ElementsAre(4, 1, 2, 3, 4));
}

TEST_F(TimerWheelTest, ArmingAnewCountsAsTheLaterArming) {
  wheel_.Arm(a_, 2'000);
  wheel_.Arm(b_, 2'000);
  wheel_.Arm(a_, 2'000);
  EXPECT_EQ(wheel_.size(), 2u);
  wheel_.Advance(2'000);
  EXPECT_THAT(fired_, ElementsAre(2, 1));
}

TEST_F(TimerWheelTest, ACancelledTimerDoesNotFire) {
  wheel_.Arm(a_, 2'000);
  wheel_.Arm(b_, 2'000);
  wheel_.Cancel(a_);
  wheel_.Cancel(a_);
  EXPECT_FALSE(a_.armed());
  EXPECT_EQ(wheel_.Advance(9'999), 1u);
  EXPECT_THAT(fired_, ElementsAre(2));
}

TEST_F(TimerWheelTest, ATimerThatGoesIsCancelled) {
  {
    TestTimer gone(fired_, 9);
    wheel_.Arm(gone, 2'000);
  }
  EXPECT_EQ(wheel_.size(), 0u);
  EXPECT_EQ(wheel_.Advance(9'999), 0u);
}

TEST_F(TimerWheelTest, AWheelThatGoesLeavesItsTimersCancelled) {
  {
    TimerWheel gone;
    gone.Arm(a_, 2'000);
    gone.Arm(b_, 0);
  }
  EXPECT_FALSE(a_.armed());
  EXPECT_FALSE(b_.armed());
}

TEST_F(TimerWheelTest, DeadlinesThatHavePassedFireFirstAtTheNextAdvance) {
  wheel_.Arm(c_, 1'001);
  wheel_.Arm(a_, 900);
  wheel_.Arm(b_, 5);
  wheel_.Arm(d_, 1'000);
  EXPECT_LE(wheel_.NextDeadlineNs(), 1'000u);
  EXPECT_EQ(wheel_.Advance(1'000), 3u);
  EXPECT_THAT(fired_, ElementsAre(1, 2, 4));
  wheel_.Advance(1'001);
  EXPECT_THAT(fired_, ElementsAre(1, 2, 4, 3));
}

TEST_F(TimerWheelTest, AClockThatStepsBackFiresNothingEarly) {
  wheel_.Arm(a_, 2'000);
  wheel_.Advance(1'999);
  wheel_.Advance(0);
  wheel_.Arm(b_, 1'500);
  EXPECT_EQ(wheel_.Advance(0), 1u) << "1,500 has passed";
  EXPECT_THAT(fired_, ElementsAre(2));
  wheel_.Advance(2'000);
  EXPECT_THAT(fired_, ElementsAre(2, 1));
}

TEST_F(TimerWheelTest, ATimerThatArmsItselfFiresAsOftenAsItIsDue) {
  uint64_t deadline_ns = 2'000;
  a_.then = [&](uint64_t) { wheel_.Arm(a_, deadline_ns += 1'000); };
  wheel_.Arm(a_, deadline_ns);
  wheel_.Arm(b_, 3'500);
  EXPECT_EQ(wheel_.Advance(4'999), 4u);
  EXPECT_THAT(fired_, ElementsAre(1, 1, 2, 1));
}

TEST_F(TimerWheelTest, ATimerThatArmsItselfForThePastDoesNotHoldTheAdvanceUp) {
  a_.then = [&](uint64_t) { wheel_.Arm(a_, a_.deadline_ns()); };
  wheel_.Arm(a_, 2'000);
  wheel_.Arm(b_, 3'000);
  EXPECT_EQ(wheel_.Advance(4'000), 2u);
  EXPECT_EQ(wheel_.Advance(4'000), 1u);
  EXPECT_THAT(fired_, ElementsAre(1, 2, 1));
}

TEST_F(TimerWheelTest, AFiringTimerMayCancelOthersThatAreDue) {
  a_.then = [&](uint64_t) {
    wheel_.Cancel(b_);
    wheel_.Cancel(d_);
  };
  wheel_.Arm(a_, 2'000);
  wheel_.Arm(b_, 2'000);
  wheel_.Arm(c_, 2'000);
  wheel_.Arm(d_, 900);
  wheel_.Arm(a_, 800);
  EXPECT_EQ(wheel_.Advance(9'000), 3u) << "d_ is first of the late ones, then a_";
  EXPECT_THAT(fired_, ElementsAre(4, 1, 3));
}

TEST_F(TimerWheelTest, AFiringTimerMayDestroyItself) {
  auto own = std::make_unique<TestTimer>(fired_, 7);
  own->then = [&](uint64_t) { own.reset(); };
  wheel_.Arm(*own, 2'000);
  EXPECT_EQ(wheel_.Advance(2'000), 1u);
  EXPECT_EQ(own, nullptr);
}

TEST_F(TimerWheelTest, EveryBoundaryOfEveryLevelIsExact) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t start : {uint64_t{0}, uint64_t{1} << 40, (uint64_t{1} << 62) - 1}) {
      for (const int64_t off : {-1, 0, 1}) {
        const uint64_t deadline_ns = start + (uint64_t{1} << bit) + static_cast<uint64_t>(off);
        if (deadline_ns <= start) continue;  // passed, or beyond 64 bits
        TimerWheel wheel(start);
        wheel.Arm(a_, deadline_ns);
        ASSERT_EQ(wheel.NextDeadlineNs(), deadline_ns);
        ASSERT_EQ(wheel.Advance(deadline_ns - 1), 0u) << bit << " " << start << " " << off;
        ASSERT_EQ(wheel.Advance(deadline_ns), 1u) << bit << " " << start << " " << off;
      }
    }
  }
}

TEST_F(TimerWheelTest, TheLastNanosecondOfAllIsADeadlineToo) {
  constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();
  wheel_.Arm(a_, kLast);
  EXPECT_EQ(wheel_.Advance(kLast - 1), 0u);
  EXPECT_EQ(wheel_.Advance(kLast), 1u);
}

TEST_F(TimerWheelTest, AfterACancelTheNextDeadlineIsExactOnceItWasAskedFor) {
  wheel_.Arm(a_, 500'000);
  wheel_.Arm(b_, 500'100);
  wheel_.Cancel(a_);
  const uint64_t bound_ns = wheel_.NextDeadlineNs();
  EXPECT_LE(bound_ns, 500'100u);
  EXPECT_EQ(wheel_.Advance(bound_ns), 0u);
  EXPECT_EQ(wheel_.NextDeadlineNs(), 500'100u);
}

TEST_F(TimerWheelTest, AMillionTimersFireInOrder) {
  class Counted : public Timer {
   public:
    explicit Counted(std::vector<const Counted*>& fired) : fired_(&fired) {}

   private:
    void OnTimer(uint64_t) override { fired_->push_back(this); }
    std::vector<const Counted*>* fired_;
  };
  constexpr size_t kTimers = 1'000'000;
  std::mt19937_64 random(test::Seed());
  std::vector<const Counted*> fired;
  fired.reserve(kTimers);
  std::deque<Counted> timers;
  for (size_t i = 0; i < kTimers; ++i) {
    // Up to 1,000 s, in steps, so that deadlines are often equal.
    wheel_.Arm(timers.emplace_back(fired), 2'000 + random() % 100'000 * 10'000'000);
  }
  for (size_t i = 0; i < kTimers; i += 2) wheel_.Cancel(timers[i]);
  EXPECT_EQ(wheel_.size(), kTimers / 2);
  std::vector<const Counted*> expected;
  for (size_t i = 1; i < kTimers; i += 2) expected.push_back(&timers[i]);
  std::stable_sort(expected.begin(), expected.end(), [](const Timer* a, const Timer* b) {
    return a->deadline_ns() < b->deadline_ns();
  });
  for (uint64_t now_ns = 0; wheel_.size() > 0; now_ns += 333'333'333) wheel_.Advance(now_ns);
  EXPECT_TRUE(fired == expected);
}

// What a wheel promises, from a map that is trivially right.
class Oracle {
 public:
  explicit Oracle(uint64_t start_ns) : passed_ns_(start_ns) {}

  void Arm(int id, uint64_t deadline_ns) {
    Cancel(id);
    if (deadline_ns <= passed_ns_) {
      late_.push_back(id);
    } else {
      armed_.emplace(deadline_ns, id);
    }
  }
  void Cancel(int id) {
    std::erase(late_, id);
    std::erase(firing_, id);
    std::erase_if(armed_, [id](const auto& entry) { return entry.second == id; });
  }
  // Calls on_fire(id) in order.
  void Advance(uint64_t now_ns, const std::function<void(int)>& on_fire) {
    now_ns = std::max(now_ns, passed_ns_);
    firing_ = std::exchange(late_, {});
    while (!firing_.empty()) {
      const int id = firing_.front();
      firing_.erase(firing_.begin());
      on_fire(id);
    }
    while (!armed_.empty() && armed_.begin()->first <= now_ns) {
      const auto [deadline_ns, id] = *armed_.begin();
      armed_.erase(armed_.begin());
      passed_ns_ = deadline_ns;
      on_fire(id);
    }
    passed_ns_ = now_ns;
  }
  uint64_t Next() const {
    if (!late_.empty()) return passed_ns_;
    return armed_.empty() ? TimerWheel::kNever : armed_.begin()->first;
  }
  size_t size() const { return late_.size() + armed_.size(); }

 private:
  uint64_t passed_ns_;
  std::multimap<uint64_t, int> armed_;  // equal deadlines stay in the order of insertion
  std::vector<int> late_, firing_;
};

TEST(TimerWheelPropertyTest, BehavesAsASortedMapUnderRandomStepsAlsoFromInsideTimers) {
  struct Step {
    bool arm;
    int id;
    uint64_t deadline_ns;
  };
  constexpr int kTimers = 48;
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(60); ++round) {
    // Distances of a few nanoseconds up to many levels, and often the same deadline.
    const auto span_bits = 1 + random() % 45;
    uint64_t now_ns = random() >> (random() % 60 + 2);
    TimerWheel wheel(now_ns);
    Oracle oracle(now_ns);
    std::vector<int> fired;
    std::vector<std::vector<Step>> steps_of;  // made by the timer that fired as the n-th
    std::deque<TestTimer> timers;
    const auto random_step = [&] {
      const uint64_t distance_ns = random() & ((uint64_t{1} << (random() % span_bits + 1)) - 1);
      const uint64_t back_ns = random() % 8 == 0 ? std::min<uint64_t>(now_ns, 40) : 0;
      return Step{random() % 3 != 0, static_cast<int>(random() % kTimers),
                  now_ns - back_ns + distance_ns};
    };
    const auto apply = [&](const Step& step) {
      const auto index = static_cast<size_t>(step.id);
      if (step.arm) {
        wheel.Arm(timers[index], step.deadline_ns);
      } else {
        wheel.Cancel(timers[index]);
      }
    };
    const auto apply_to_oracle = [&](const Step& step) {
      if (step.arm) {
        oracle.Arm(step.id, step.deadline_ns);
      } else {
        oracle.Cancel(step.id);
      }
    };
    for (int id = 0; id < kTimers; ++id) {
      timers.emplace_back(fired, id).then = [&](uint64_t) {
        std::vector<Step>& steps = steps_of.emplace_back();
        if (steps_of.size() > 3'000) return;
        for (uint64_t i = random() % 3; i > 0; --i) apply(steps.emplace_back(random_step()));
      };
    }
    for (int i = 0; i < 500; ++i) {
      if (random() % 4 != 0) {
        const Step step = random_step();
        apply(step);
        apply_to_oracle(step);
      } else {
        now_ns += random() & ((uint64_t{1} << (random() % span_bits + 1)) - 1);
        fired.clear();
        steps_of.clear();
        const size_t count = wheel.Advance(now_ns);
        ASSERT_EQ(count, fired.size());
        size_t n = 0;
        oracle.Advance(now_ns, [&](int id) {
          ASSERT_LT(n, fired.size());
          ASSERT_EQ(id, fired[n]) << "round " << round << ", step " << i << ", firing " << n;
          for (const Step& step : steps_of[n]) apply_to_oracle(step);
          ++n;
        });
        ASSERT_EQ(n, count);
      }
      ASSERT_EQ(wheel.size(), oracle.size());
      ASSERT_LE(wheel.NextDeadlineNs(), oracle.Next());
    }
  }
}

TEST(TimerWheelDeathTest, AdvancingFromInsideATimerIsABug) {
  std::vector<int> fired;
  TimerWheel wheel;
  TestTimer timer(fired, 1);
  timer.then = [&](uint64_t now_ns) {
    wheel.Arm(timer, 0);
    wheel.Advance(now_ns);
  };
  wheel.Arm(timer, 10);
  EXPECT_DEATH(wheel.Advance(10), "check failed");
}

}  // namespace
}  // namespace bitactor
