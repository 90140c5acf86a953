// The watchdog with threads: what it says of one that spins, and stacks noted of threads that run,
// come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/thread_stack.h"
#include "bitactor/l1_core/watchdog.h"
#include "support/seed.h"

namespace {
std::atomic<bool> spin_no_more{false};
}  // namespace

// C names, so that they look the same in every stack.
extern "C" __attribute__((noinline)) void BitactorTestSpins() {
  while (!spin_no_more.load(std::memory_order_relaxed)) {
    gettid();  // where a thread sanitizer delivers the signals that it holds back
  }
}
extern "C" __attribute__((noinline)) int BitactorTestCallsTheOneThatSpins() {
  BitactorTestSpins();
  return spin_no_more.load(std::memory_order_relaxed) ? 1 : 2;  // no tail call
}

namespace bitactor {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr uint64_t kPatientNs = 10'000'000'000;

// An emulator's /proc/self/maps and program are its own, so that no address has a name.
bool AddressesHaveNames() {
  char name[64];
  return absl::Symbolize(reinterpret_cast<void*>(&BitactorTestSpins), name, sizeof(name));
}

TEST(WatchdogStressTest, NamesTheFunctionThatDoesNotReturn) {
  spin_no_more.store(false, std::memory_order_relaxed);
  const TickClock clock;
  Notification reported;
  Notification ended;
  StuckReport report;
  StuckReport end;
  Watchdog watchdog(&clock, {.on_report = [&](const StuckReport& said) {
    (said.ended ? end : report) = said;
    (said.ended ? ended : reported).Notify();
  }});
  Heartbeat heart;
  watchdog.Watch("feed", &heart, [](SignalKind) { return "quote"; });
  std::jthread watching([&](std::stop_token stop) { watchdog.Run(stop); });
  std::thread engine([&] {
    heart.RunsHere();
    heart.BeginHandler(7);
    BitactorTestCallsTheOneThatSpins();
    heart.Rest();
  });
  reported.Wait();
  spin_no_more.store(true, std::memory_order_relaxed);
  ended.Wait();
  engine.join();
  EXPECT_EQ(report.engine, "feed");
  EXPECT_EQ(report.doing, "handler of kind 7 (quote)");
  EXPECT_GE(report.duration_ns, 10'000'000u);
  EXPECT_GT(end.duration_ns, report.duration_ns);
  EXPECT_GE(report.stack.size(), 3u);
  if (!AddressesHaveNames()) GTEST_SKIP() << "skipped the names: this process sees none";
  EXPECT_THAT(report.stack, Contains(HasSubstr("BitactorTestSpins"))) << report.ToString();
  EXPECT_THAT(report.stack, Contains(HasSubstr("BitactorTestCallsTheOneThatSpins")))
      << report.ToString();
}

TEST(ThreadStackStressTest, ThreadsThatAreGoneAreNotWaitedFor) {
  pid_t gone = 0;
  std::thread short_lived([&] { gone = gettid(); });
  short_lived.join();
  internal::ThreadStack stack;
  EXPECT_FALSE(internal::NoteThreadStack(gone, kPatientNs, &stack));
  EXPECT_FALSE(internal::NoteThreadStack(0, kPatientNs, &stack));
}

// The signal that is held back comes later, when its request was withdrawn long ago.
TEST(ThreadStackStressTest, AThreadThatBlocksTheSignalIsGivenUp) {
  sigset_t urgent;
  sigemptyset(&urgent);
  sigaddset(&urgent, SIGURG);
  Notification blocked, asked;
  pid_t thread = 0;
  std::thread other([&] {
    pthread_sigmask(SIG_BLOCK, &urgent, nullptr);
    thread = gettid();
    blocked.Notify();
    asked.Wait();
    pthread_sigmask(SIG_UNBLOCK, &urgent, nullptr);
  });
  blocked.Wait();
  internal::ThreadStack stack;
  EXPECT_FALSE(internal::NoteThreadStack(thread, 1'000'000, &stack));
  asked.Notify();
  other.join();
  EXPECT_EQ(stack.depth, 0u);
}

// Two askers, each of a thread of its own, without patience and with it: whoever gets an answer
// gets that of its own thread. The threads allocate and throw, where an unwinder that took a lock
// would hang.
void Work(std::atomic<bool>& done, std::atomic<pid_t>& thread) {
  thread.store(gettid(), std::memory_order_release);
  while (!done.load(std::memory_order_relaxed)) {
    try {
      throw std::string(1'000, 'x');
    } catch (const std::string&) {
    }
  }
}
extern "C" __attribute__((noinline)) int BitactorTestWorksHere(std::atomic<bool>& done,
                                                               std::atomic<pid_t>& thread) {
  Work(done, thread);
  return 1;
}
extern "C" __attribute__((noinline)) int BitactorTestWorksThere(std::atomic<bool>& done,
                                                                std::atomic<pid_t>& thread) {
  Work(done, thread);
  return 2;
}

TEST(ThreadStackStressTest, EachGetsTheStackOfTheThreadItAskedFor) {
  const int rounds = test::Rounds(200);
  const bool named_at_all = AddressesHaveNames();  // before there are threads: it has no lock
  const auto ask = [&](int (*body)(std::atomic<bool>&, std::atomic<pid_t>&), const char* mine,
                       const char* others) {
    std::atomic<bool> done{false};
    std::atomic<pid_t> thread{0};
    std::thread worker([&] { body(done, thread); });
    while (thread.load(std::memory_order_acquire) == 0) std::this_thread::yield();
    int answers = 0;
    int named = 0;
    for (int i = 0; i < rounds; ++i) {
      internal::ThreadStack stack;
      const uint64_t patience_ns = i % 2 == 0 ? 0 : kPatientNs;
      if (!internal::NoteThreadStack(thread.load(std::memory_order_relaxed), patience_ns, &stack)) {
        continue;
      }
      ++answers;
      EXPECT_GE(stack.depth, 1u);
      std::string all;
      for (const std::string& name : stack.Names()) all += name + "\n";
      EXPECT_THAT(all, Not(HasSubstr(others)));
      if (all.find(mine) != std::string::npos) ++named;
    }
    done.store(true, std::memory_order_relaxed);
    worker.join();
    EXPECT_GE(answers, rounds / 2);
    // All but those noted while a handler for the exception was being entered, where the tables are
    // not exact, and what a sanitizer delivered later.
    if (named_at_all) {
      EXPECT_GT(named, 0);
    }
  };
  std::thread here([&] { ask(BitactorTestWorksHere, "WorksHere", "WorksThere"); });
  ask(BitactorTestWorksThere, "WorksThere", "WorksHere");
  here.join();
}

}  // namespace
}  // namespace bitactor
