// A thread that is really preempted, and one that waits of its own will.
#include "bitactor/l1_core/preemption_witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <stop_token>
#include <thread>

#include "bitactor/l1_core/engine.h"

namespace bitactor {
namespace {

int64_t InvoluntarySwitches() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

// Runs `test` on a thread of its own on one processor, which another thread keeps busy too.
template <typename Test>
void OnABusyProcessor(Test&& test) {
  std::atomic<bool> stop{false};
  const auto pin = [] {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
  };
  std::thread thread([&] {
    pin();
    // A child inherits the processor.
    std::thread rival([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    test();
    // Relaxed: the join orders everything else.
    stop.store(true, std::memory_order_relaxed);
    rival.join();
  });
  thread.join();
}

TEST(PreemptionWitnessTest, SeesNothingWhereNothingHappened) {
  std::thread([] {
    PreemptionWitness witness;
    if (!witness.available()) return;
    int undisturbed = 0;
    for (int i = 0; i < 1'000; ++i) {
      const int64_t before = InvoluntarySwitches();
      witness.LayMark();
      const bool preempted = witness.WasPreempted();
      if (InvoluntarySwitches() == before) {
        ++undisturbed;
        EXPECT_FALSE(preempted);
      }
    }
    EXPECT_GT(undisturbed, 0);
  }).join();
}

TEST(PreemptionWitnessTest, SeesAPreemption) {
  OnABusyProcessor([] {
    PreemptionWitness witness;
    if (!witness.available()) return;
    for (int i = 0; i < 3; ++i) {
      const int64_t before = InvoluntarySwitches();
      witness.LayMark();
      while (InvoluntarySwitches() == before) {
      }
      EXPECT_TRUE(witness.WasPreempted());
    }
  });
}

TEST(PreemptionWitnessTest, WaitingIsNoPreemption) {
  std::thread([] {
    PreemptionWitness witness;
    if (!witness.available()) return;
    for (int i = 0; i < 20; ++i) {
      witness.LayMark();
      witness.WasPreempted();  // what was before does not count
      const int64_t before = InvoluntarySwitches();
      witness.LayMark();
      std::thread([] {}).join();
      const bool preempted = witness.WasPreempted();
      EXPECT_EQ(preempted, InvoluntarySwitches() != before);
    }
  }).join();
}

TEST(PreemptionWitnessTest, AnEngineDoesNotHoldAPreemptionAgainstItsHandler) {
  OnABusyProcessor([] {
    if (!PreemptionWitness().available()) return;
    int reported = 0;
    Engine engine({.on_overrun = [&](SignalKind, Ticks) { ++reported; }});
    std::stop_source stop;
    const auto runs_until_preempted = [](const Signal&, Context&) {
      const int64_t before = InvoluntarySwitches();
      while (InvoluntarySwitches() == before) {
      }
    };
    engine.On(1, runs_until_preempted).OnOverrun(OverrunPolicy::kReport);
    engine.On(2, runs_until_preempted).OnOverrun(OverrunPolicy::kDebt);
    for (const SignalKind kind : {1, 2, 1, 2}) engine.Push(Signal::Of(kind));
    engine.On(3, [&](const Signal&, Context&) { stop.request_stop(); });
    engine.Push(Signal::Of(3));
    engine.Run(stop.get_token());
    EXPECT_EQ(reported, 0);
    EXPECT_EQ(engine.counters().set_aside, 0u);
    EXPECT_EQ(engine.CountersOf(1)->exonerated, 2u);
    EXPECT_EQ(engine.CountersOf(2)->exonerated, 2u);
    EXPECT_THAT(engine.Report(), ::testing::HasSubstr("overruns, 4 exonerated"));
  });
}

}  // namespace
}  // namespace bitactor
