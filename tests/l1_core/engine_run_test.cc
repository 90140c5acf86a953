// Run() on threads of its own.
#include <gtest/gtest.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::minutes(3);

// Waits for another thread; false when it takes too long.
template <typename Condition>
bool Eventually(Condition&& condition) {
  const auto deadline = steady_clock::now() + kPatience;
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Goes to sleep as soon as there is nothing to do.
EngineOptions SleepyOptions() { return {.idle_pauses = 0, .idle_yields = 0}; }

TEST(EngineRunTest, StopsWhileItSleeps) {
  Engine engine(SleepyOptions());
  std::jthread thread([&](std::stop_token stop) { engine.Run(stop); });
  ASSERT_TRUE(Eventually([&] { return engine.sleeps() > 0; }));
  thread.request_stop();
  thread.join();
  EXPECT_FALSE(engine.parked());
}

TEST(EngineRunTest, AStopRequestedBeforeItRunsIsSeen) {
  Engine engine;
  std::stop_source source;
  source.request_stop();
  engine.Run(source.get_token());
  EXPECT_EQ(engine.sleeps(), 0u);
}

uint64_t CpuNanosOf(clockid_t clock) {
  timespec used;
  clock_gettime(clock, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(used.tv_nsec);
}

TEST(EngineRunTest, GoesDownTheLadderToASleepThatUsesLessThanAThousandthOfAProcessor) {
  if (!internal::HasProcessBarrier()) GTEST_SKIP() << "skipped: no membarrier, so it naps";
  Engine engine;
  std::atomic<uint64_t> handled{0};
  engine.On(1, [&](const Signal&, Context&) { handled.fetch_add(1, std::memory_order_release); });
  std::jthread thread([&](std::stop_token stop) { engine.Run(stop); });
  clockid_t cpu_clock;
  ASSERT_EQ(pthread_getcpuclockid(thread.native_handle(), &cpu_clock), 0);
  ASSERT_TRUE(Eventually([&] { return engine.sleeps() > 0; }));
  // It has gone to sleep once its processor time stands still.
  uint64_t before_ns = 0;
  ASSERT_TRUE(Eventually([&] {
    const uint64_t earlier_ns = std::exchange(before_ns, CpuNanosOf(cpu_clock));
    std::this_thread::yield();
    return earlier_ns == before_ns;
  }));
  const auto start = steady_clock::now();
  while (steady_clock::now() < start + std::chrono::milliseconds(500)) std::this_thread::yield();
  const uint64_t used_ns = CpuNanosOf(cpu_clock) - before_ns;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - start);
  EXPECT_EQ(engine.sleeps(), 1u) << "one sleep, not a nap after the other";
  EXPECT_LT(used_ns, static_cast<uint64_t>(elapsed.count()) / 1000);
  engine.Push(Signal::Of(1));
  EXPECT_TRUE(Eventually([&] { return handled.load(std::memory_order_acquire) == 1; }));
}

TEST(EngineRunTest, APushFromAnotherThreadWakesIt) {
  Engine engine(SleepyOptions());
  std::atomic<uint32_t> handled{0};
  engine.On(1, [&](const Signal&, Context&) { handled.fetch_add(1, std::memory_order_relaxed); });
  std::jthread thread([&](std::stop_token stop) { engine.Run(stop); });
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Eventually([&] { return engine.parked(); }));
    ASSERT_EQ(engine.Push(Signal::Of(1)), PushResult::kOk);
    ASSERT_TRUE(Eventually([&] { return handled.load(std::memory_order_relaxed) == i + 1; }));
  }
}

class TimerPoller : public Poller {
 public:
  TimerPoller(const TickClock& clock, uint64_t deadline_ns)
      : clock_(clock), deadline_ns_(deadline_ns) {}
  size_t Poll() override {
    if (deadline_ns_ == kNoDeadline || clock_.NowNanos() < deadline_ns_) return 0;
    fired_at_ns_.store(clock_.NowNanos(), std::memory_order_release);
    deadline_ns_ = kNoDeadline;
    return 1;
  }
  bool HasWork() override { return false; }
  uint64_t NextDeadlineNs() override { return deadline_ns_; }
  uint64_t fired_at_ns() const { return fired_at_ns_.load(std::memory_order_acquire); }

 private:
  const TickClock& clock_;
  uint64_t deadline_ns_;
  std::atomic<uint64_t> fired_at_ns_{0};
};

TEST(EngineRunTest, WakesForTheDeadlineOfAPoller) {
  Engine engine(SleepyOptions());
  const uint64_t deadline_ns = engine.clock().NowNanos() + 20'000'000;
  TimerPoller timer(engine.clock(), deadline_ns);
  engine.AddPoller(&timer);
  std::jthread thread([&](std::stop_token stop) { engine.Run(stop); });
  ASSERT_TRUE(Eventually([&] { return timer.fired_at_ns() != 0; }));
  EXPECT_GE(timer.fired_at_ns(), deadline_ns);
  EXPECT_GT(engine.sleeps(), 0u);
}

// Plays balls over lanes with another engine; both sleep whenever they wait.
class PingPoller : public Poller {
 public:
  PingPoller(SpscLane<uint64_t>& in, SpscLane<uint64_t>& out) : in_(in), out_(out) {}

  void SetOther(Engine* other) { other_ = other; }
  size_t Poll() override {
    const uint64_t head = in_.released();
    const uint64_t tail = in_.ReadTail();
    for (uint64_t i = head; i < tail; ++i) {
      last_.store(in_.At(i), std::memory_order_relaxed);
      Send(in_.At(i) + 1);
    }
    in_.Release(tail);
    return tail - head;
  }
  bool HasWork() override { return in_.ReadTail() != in_.released(); }
  void Send(uint64_t ball) {
    *out_.Claim() = ball;  // there is one ball, and room for two
    out_.Advance();
    out_.Publish();
    if (other_->parked()) other_->Wake();
  }
  uint64_t last() const { return last_.load(std::memory_order_relaxed); }

 private:
  SpscLane<uint64_t>& in_;
  SpscLane<uint64_t>& out_;
  Engine* other_ = nullptr;
  std::atomic<uint64_t> last_{0};
};

TEST(EngineRunStressTest, NoWakeUpIsLostInAHundredThousandRounds) {
  const uint64_t rounds = static_cast<uint64_t>(test::Rounds(100'000));
  SpscLane<uint64_t> there(2), back(2);
  PingPoller left_poller(back, there), right_poller(there, back);
  Engine left(SleepyOptions()), right(SleepyOptions());
  left.AddPoller(&left_poller);
  right.AddPoller(&right_poller);
  left_poller.SetOther(&right);
  right_poller.SetOther(&left);
  left_poller.Send(1);
  {
    std::jthread left_thread([&](std::stop_token stop) { left.Run(stop); });
    std::jthread right_thread([&](std::stop_token stop) { right.Run(stop); });
    // A lost wake-up is a ball that never comes back.
    EXPECT_TRUE(Eventually([&] { return left_poller.last() >= 2 * rounds; }))
        << "stuck at ball " << left_poller.last();
  }
  EXPECT_GT(left.sleeps() + right.sleeps(), 0u) << "the sleep is what is tested";
}

}  // namespace
}  // namespace bitactor
