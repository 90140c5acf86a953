#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/fiber_scheduler.h"
#include "bitactor/l1_core/signal_arrival.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Log = std::vector<std::string>;

// Says when it goes.
class Guard {
 public:
  Guard(Log& log, std::string name) : log_(&log), name_(std::move(name)) {}
  Guard(Guard&& other) noexcept
      : log_(std::exchange(other.log_, nullptr)), name_(std::move(other.name_)) {}
  Guard& operator=(Guard&&) = delete;
  ~Guard() {
    if (log_ != nullptr) log_->push_back("~" + name_);
  }

 private:
  Log* log_;
  std::string name_;
};

class FiberTest : public ::testing::Test {
 protected:
  FiberOptions Options() {
    return {.fibers = 16,
            .on_failure =
                [this](const char* name, const std::exception_ptr&) {
                  log_.push_back(std::string("failed ") + name);
                },
            .on_leak =
                [this](const char* name, const char* waits_for) {
                  log_.push_back(std::string(name) + " waits for " + waits_for);
                }};
  }
  // Until nothing is ready.
  void Settle() {
    while (fibers_.Poll() != 0) {
    }
  }
  // Settles at both ends.
  void AdvanceTo(uint64_t now_ns) {
    Settle();
    clock_.Advance(now_ns - clock_.NowNanos());
    Settle();
  }

  TickClock clock_{TickClock::Source::kManual, 1'000};
  Log log_;
  FiberScheduler fibers_{clock_, Options()};
};

Fiber Says(FiberScheduler&, Log& log, std::string what) {
  log.push_back(what);
  co_return;
}

Fiber SaysTwice(FiberScheduler& fibers, Log& log, std::string what) {
  log.push_back(what);
  co_await fibers.Yield();
  log.push_back(what);
}

Fiber SleepsThenSays(FiberScheduler& fibers, Log& log, uint64_t duration_ns, std::string what) {
  Guard guard(log, what);
  co_await fibers.Sleep(duration_ns);
  log.push_back(what);
}

Fiber Throws(FiberScheduler& fibers, bool first_yields) {
  if (first_yields) co_await fibers.Yield();
  throw std::runtime_error("broken");
}

// Joins a fiber of somebody else and says how that ended.
Fiber Joins(FiberScheduler& fibers, Log& log, Fiber& other) {
  const FiberResult result = co_await fibers.Join(other);
  log.push_back(FiberEndName(result.end));
}

TEST_F(FiberTest, RunsNothingBeforeItsFirstTurn) {
  Fiber fiber = Says(fibers_, log_, "a");
  fibers_.Poll();
  EXPECT_EQ(fiber.end(), FiberEnd::kNotRun);
  EXPECT_EQ(fibers_.Spawn("a", fiber), SpawnResult::kOk);
  EXPECT_TRUE(fiber.running());
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_EQ(fibers_.Poll(), 1u);
  EXPECT_THAT(log_, ElementsAre("a"));
  EXPECT_EQ(fiber.end(), FiberEnd::kDone);
}

TEST_F(FiberTest, ARoundGivesOneTurnToEachInTheOrderOfSpawning) {
  for (const char* name : {"a", "b", "c"}) fibers_.Spawn(name, SaysTwice(fibers_, log_, name));
  EXPECT_EQ(fibers_.Poll(), 3u);
  EXPECT_THAT(log_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(fibers_.Poll(), 3u);
  EXPECT_THAT(log_, ElementsAre("a", "b", "c", "a", "b", "c"));
  EXPECT_EQ(fibers_.Poll(), 0u);
  EXPECT_EQ(fibers_.counters().done, 3u);
}

TEST_F(FiberTest, ARoundIsBoundedAndTheRestComesFirstInTheNext) {
  FiberScheduler fibers(clock_, {.fibers = 4, .round_turns = 2});
  for (const char* name : {"a", "b", "c"}) fibers.Spawn(name, SaysTwice(fibers, log_, name));
  EXPECT_EQ(fibers.Poll(), 2u);
  EXPECT_EQ(fibers.Poll(), 2u);
  EXPECT_THAT(log_, ElementsAre("a", "b", "c", "a"));
  fibers.CancelAll();
}

TEST_F(FiberTest, SleepsToTheNanosecond) {
  fibers_.Spawn("a", SleepsThenSays(fibers_, log_, 500, "a"));
  fibers_.Spawn("b", SleepsThenSays(fibers_, log_, 499, "b"));
  Settle();
  EXPECT_EQ(fibers_.NextDeadlineNs(), 1'499u);
  EXPECT_FALSE(fibers_.HasWork());
  AdvanceTo(1'498);
  EXPECT_THAT(log_, IsEmpty());
  AdvanceTo(1'499);
  EXPECT_THAT(log_, ElementsAre("b", "~b"));
  AdvanceTo(1'500);
  EXPECT_THAT(log_, ElementsAre("b", "~b", "a", "~a"));
}

TEST_F(FiberTest, ASleepUntilThePastLetsOthersGoFirst) {
  const auto body = [](FiberScheduler& fibers, Log& log) -> Fiber {
    co_await fibers.SleepUntil(5);
    log.push_back("late");
  };
  fibers_.Spawn("late", body(fibers_, log_));
  fibers_.Spawn("b", SaysTwice(fibers_, log_, "b"));
  Settle();
  EXPECT_THAT(log_, ElementsAre("b", "b", "late"));
}

TEST_F(FiberTest, AnEndlessSleepDoesNotWrapAround) {
  fibers_.Spawn("a", SleepsThenSays(fibers_, log_, ~uint64_t{0}, "a"));
  Settle();
  AdvanceTo(uint64_t{1} << 60);
  EXPECT_THAT(log_, IsEmpty());
  fibers_.CancelAll();
}

TEST_F(FiberTest, AMemberFunctionMayBeAFiber) {
  struct Owner {
    int turns = 0;
    Fiber Run(FiberScheduler& fibers, int more) {
      ++turns;
      co_await fibers.Yield();
      turns += more;
    }
  } owner;
  EXPECT_EQ(fibers_.Spawn("run", owner.Run(fibers_, 5)), SpawnResult::kOk);
  Settle();
  EXPECT_EQ(owner.turns, 6);
}

TEST_F(FiberTest, JoinWaitsForTheEndAndSaysHow) {
  Fiber child = SleepsThenSays(fibers_, log_, 100, "child");
  fibers_.Spawn("child", child);
  fibers_.Spawn("first", Joins(fibers_, log_, child));
  fibers_.Spawn("second", Joins(fibers_, log_, child));
  Settle();
  EXPECT_THAT(log_, IsEmpty());
  AdvanceTo(1'100);
  EXPECT_THAT(log_, ElementsAre("child", "~child", "done", "done"));
  fibers_.Spawn("third", Joins(fibers_, log_, child));
  Settle();
  EXPECT_EQ(log_.back(), "done") << "it had ended before";
  EXPECT_EQ(log_.size(), 5u);
}

TEST_F(FiberTest, JoinOfWhatNeverRanIsAnsweredAtOnce) {
  Fiber empty, created = Says(fibers_, log_, "never");
  fibers_.Spawn("a", Joins(fibers_, log_, empty));
  fibers_.Spawn("b", Joins(fibers_, log_, created));
  EXPECT_EQ(fibers_.Poll(), 2u);
  EXPECT_THAT(log_, ElementsAre("not run", "not run"));
}

TEST_F(FiberTest, AnErrorIsHandedToTheOneWhoJoins) {
  const auto parent = [](FiberScheduler& fibers, Log& log, bool late) -> Fiber {
    Fiber child = Throws(fibers, late);
    fibers.Spawn("child", child);
    co_await fibers.Yield();
    const FiberResult result = co_await fibers.Join(child);
    EXPECT_EQ(result.end, FiberEnd::kFailed);
    try {
      std::rethrow_exception(result.error);
    } catch (const std::runtime_error& error) {
      log.push_back(error.what());
    }
  };
  fibers_.Spawn("parent", parent(fibers_, log_, false));
  fibers_.Spawn("parent", parent(fibers_, log_, true));
  Settle();
  EXPECT_THAT(log_, ElementsAre("broken", "broken"));
  EXPECT_EQ(fibers_.counters().failed, 2u);
  EXPECT_EQ(fibers_.counters().failed_unjoined, 0u);
}

TEST_F(FiberTest, AnErrorThatNobodyJoinsIsCountedAndReported) {
  {
    Fiber kept = Throws(fibers_, true);
    fibers_.Spawn("kept", kept);
    fibers_.Spawn("alone", Throws(fibers_, true));
    Settle();
    EXPECT_THAT(log_, ElementsAre("failed alone")) << "the other may still be joined";
    EXPECT_EQ(kept.end(), FiberEnd::kFailed);
  }
  EXPECT_THAT(log_, ElementsAre("failed alone", "failed kept"));
  EXPECT_EQ(fibers_.counters().failed_unjoined, 2u);
}

TEST_F(FiberTest, DroppingTheHandleCancelsAtOnceAndRunsDestructors) {
  {
    Fiber fiber = SleepsThenSays(fibers_, log_, 100, "a");
    fibers_.Spawn("a", fiber);
    Settle();
  }
  EXPECT_THAT(log_, ElementsAre("~a"));
  EXPECT_EQ(fibers_.counters().cancelled, 1u);
  AdvanceTo(2'000);
  EXPECT_THAT(log_, ElementsAre("~a"));
}

TEST_F(FiberTest, AFiberCancelledBeforeItsFirstTurnRunsNothing) {
  Fiber fiber = Says(fibers_, log_, "never");
  fibers_.Spawn("never", fiber);
  fiber.Cancel();
  EXPECT_EQ(fiber.end(), FiberEnd::kCancelled);
  Settle();
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(FiberTest, AJoinerLearnsOfTheCancellation) {
  Fiber child = SleepsThenSays(fibers_, log_, 100, "child");
  fibers_.Spawn("child", child);
  fibers_.Spawn("joiner", Joins(fibers_, log_, child));
  Settle();
  child.Cancel();
  child.Cancel();
  Settle();
  EXPECT_THAT(log_, ElementsAre("~child", "cancelled"));
}

// Spawns a line of `depth` descendants, each of which sleeps.
Fiber Line(FiberScheduler& fibers, Log& log, int depth) {
  Guard guard(log, std::to_string(depth));
  if (depth > 1) fibers.Spawn("line", Line(fibers, log, depth - 1));
  co_await fibers.Sleep(1'000'000);
}

TEST_F(FiberTest, CancellingAParentCancelsItsChildrenFirst) {
  Fiber top = Line(fibers_, log_, 4);
  fibers_.Spawn("top", top);
  Settle();
  top.Cancel();
  EXPECT_THAT(log_, ElementsAre("~1", "~2", "~3", "~4"));
  EXPECT_EQ(fibers_.counters().alive, 0u);
}

TEST_F(FiberTest, AParentThatEndsCancelsItsChildren) {
  const auto parent = [](FiberScheduler& fibers, Log& log, bool fails) -> Fiber {
    fibers.Spawn("line", Line(fibers, log, 2));
    co_await fibers.Sleep(10);
    if (fails) throw std::runtime_error("broken");
  };
  fibers_.Spawn("returns", parent(fibers_, log_, false));
  AdvanceTo(1'010);
  EXPECT_THAT(log_, ElementsAre("~1", "~2"));
  fibers_.Spawn("throws", parent(fibers_, log_, true));
  AdvanceTo(1'020);
  EXPECT_THAT(log_, ElementsAre("~1", "~2", "~1", "~2", "failed throws"));
  EXPECT_EQ(fibers_.counters().alive, 0u);
}

TEST_F(FiberTest, AChildMayUseWhatItsParentDeclaredBeforeIt) {
  const auto child = [](FiberScheduler& fibers, Log& log, std::string& text) -> Fiber {
    const auto at_end = std::unique_ptr<std::string, void (*)(std::string*)>(
        &text, [](std::string* used) { used->append(" used"); });
    co_await fibers.Sleep(1'000'000);
    log.push_back("never");
  };
  const auto parent = [&child](FiberScheduler& fibers, Log& log) -> Fiber {
    Guard last(log, "parent");
    std::string text(100, 'x');
    Fiber own = child(fibers, log, text);
    fibers.Spawn("child", own);
    co_await fibers.Yield();
  };
  fibers_.Spawn("parent", parent(fibers_, log_));
  Settle();
  EXPECT_THAT(log_, ElementsAre("~parent"));
}

TEST_F(FiberTest, ADeadlineCancelsTheChildAndTheJoinerLearnsWhy) {
  const auto parent = [](FiberScheduler& fibers, Log& log) -> Fiber {
    Fiber slow = Line(fibers, log, 2);
    fibers.Spawn("slow", slow);
    FiberResult result = co_await fibers.Join(slow, 1'100);
    log.push_back(FiberEndName(result.end));
    Fiber quick = SleepsThenSays(fibers, log, 10, "quick");
    fibers.Spawn("quick", quick);
    result = co_await fibers.Join(quick, 1'200);
    log.push_back(FiberEndName(result.end));
  };
  fibers_.Spawn("parent", parent(fibers_, log_));
  AdvanceTo(1'099);
  EXPECT_THAT(log_, IsEmpty());
  AdvanceTo(1'100);
  EXPECT_THAT(log_, ElementsAre("~1", "~2", "deadline"));
  AdvanceTo(1'110);
  EXPECT_THAT(log_, ElementsAre("~1", "~2", "deadline", "quick", "~quick", "done"));
  EXPECT_EQ(fibers_.NextDeadlineNs(), TimerWheel::kNever) << "the deadline went with its fiber";
  EXPECT_EQ(fibers_.counters().deadline, 1u);
  EXPECT_EQ(fibers_.counters().cancelled, 1u);
}

TEST_F(FiberTest, ARaceIsWonByTheFirstToEndAndCancelsTheOthers) {
  const auto race = [](FiberScheduler& fibers, Log& log) -> Fiber {
    Fiber a = SleepsThenSays(fibers, log, 300, "a"), b = SleepsThenSays(fibers, log, 200, "b"),
          c = SleepsThenSays(fibers, log, 200, "c");
    fibers.Spawn("a", a);
    fibers.Spawn("b", b);
    fibers.Spawn("c", c);
    const RaceResult winner = co_await fibers.Race(a, c, b);
    EXPECT_EQ(winner.index, 2u) << "b slept first";
    EXPECT_EQ(winner.result.end, FiberEnd::kDone);
    EXPECT_EQ(a.end(), FiberEnd::kCancelled);
  };
  fibers_.Spawn("race", race(fibers_, log_));
  AdvanceTo(1'200);
  EXPECT_THAT(log_, ElementsAre("b", "~b", "c", "~c", "~a"));
}

TEST_F(FiberTest, ARaceWithOneThatHasEndedIsDecidedAtOnce) {
  const auto race = [](FiberScheduler& fibers, Log& log) -> Fiber {
    Fiber a = SleepsThenSays(fibers, log, 300, "a"), b = Throws(fibers, false);
    fibers.Spawn("a", a);
    fibers.Spawn("b", b);
    co_await fibers.Yield();
    const RaceResult winner = co_await fibers.Race(a, b);
    EXPECT_EQ(winner.index, 1u);
    EXPECT_EQ(winner.result.end, FiberEnd::kFailed);
    EXPECT_NE(winner.result.error, nullptr);
  };
  fibers_.Spawn("race", race(fibers_, log_));
  Settle();
  EXPECT_THAT(log_, ElementsAre("~a"));
}

TEST_F(FiberTest, TheEndOfARacesLosersDisturbsNoLaterWait) {
  const auto race = [](FiberScheduler& fibers, Log& log) -> Fiber {
    Fiber a = SleepsThenSays(fibers, log, 100, "a"), b = SleepsThenSays(fibers, log, 200, "b");
    fibers.Spawn("a", a);
    fibers.Spawn("b", b);
    co_await fibers.Race(a, b);
    co_await fibers.Sleep(1'000);
    log.push_back(std::to_string(fibers.now_ns()));
  };
  fibers_.Spawn("race", race(fibers_, log_));
  AdvanceTo(1'100);
  AdvanceTo(2'099);
  EXPECT_THAT(log_, ElementsAre("a", "~a", "~b"));
  AdvanceTo(2'100);
  EXPECT_EQ(log_.back(), "2100");
}

TEST_F(FiberTest, AFiberThatCancelsItselfGoesOnToItsNextSuspension) {
  Fiber self;
  const auto body = [](FiberScheduler& fibers, Log& log, Fiber& own) -> Fiber {
    Guard guard(log, "own");
    own.Cancel();
    log.push_back("after Cancel");
    co_await fibers.Yield();
    log.push_back("never");
  };
  self = body(fibers_, log_, self);
  fibers_.Spawn("self", self);
  Settle();
  EXPECT_THAT(log_, ElementsAre("after Cancel", "~own"));
  EXPECT_EQ(self.end(), FiberEnd::kCancelled);
}

TEST_F(FiberTest, AFiberMayDropTheHandleOfItsOwnGrandparent) {
  auto top = std::make_unique<Fiber>();
  struct Bodies {
    static Fiber Grandchild(FiberScheduler& fibers, Log& log, std::unique_ptr<Fiber>& dropped) {
      Guard guard(log, "grandchild");
      dropped.reset();
      log.push_back("dropped");
      co_await fibers.Yield();
      log.push_back("never");
    }
    static Fiber Child(FiberScheduler& fibers, Log& log, std::unique_ptr<Fiber>& dropped) {
      Guard guard(log, "child");
      Fiber grandchild = Grandchild(fibers, log, dropped);
      fibers.Spawn("grandchild", grandchild);
      co_await fibers.Join(grandchild);
    }
    static Fiber Top(FiberScheduler& fibers, Log& log, std::unique_ptr<Fiber>& dropped) {
      Guard guard(log, "top");
      Fiber child = Child(fibers, log, dropped);
      fibers.Spawn("child", child);
      co_await fibers.Join(child);
    }
  };
  *top = Bodies::Top(fibers_, log_, top);
  fibers_.Spawn("top", *top);
  Settle();
  EXPECT_THAT(log_, ElementsAre("dropped", "~grandchild", "~child", "~top"));
  EXPECT_EQ(fibers_.counters().cancelled, 3u);
  EXPECT_EQ(fibers_.counters().alive, 0u);
}

TEST_F(FiberTest, ADestructorMayCancelAnyFiberEvenAnAncestor) {
  Fiber other = Line(fibers_, log_, 1);
  const auto body = [](FiberScheduler& fibers, Log& log, Fiber& first, Fiber& second) -> Fiber {
    struct Canceller {
      Canceller(Fiber& a, Fiber& b) : first_(a), second_(b) {}
      ~Canceller() {
        first_.Cancel();
        second_.Cancel();
      }
      Fiber& first_;
      Fiber& second_;
    } canceller(first, second);
    Guard guard(log, "body");
    co_await fibers.Sleep(1'000'000);
  };
  const auto parent = [&body](FiberScheduler& fibers, Log& log, Fiber& first,
                              Fiber& second) -> Fiber {
    Guard guard(log, "parent");
    fibers.Spawn("body", body(fibers, log, first, second));
    co_await fibers.Sleep(1'000'000);
  };
  Fiber whole;
  whole = parent(fibers_, log_, other, whole);
  fibers_.Spawn("other", other);
  fibers_.Spawn("whole", whole);
  Settle();
  whole.Cancel();
  EXPECT_THAT(log_, ElementsAre("~body", "~parent", "~1"));
  EXPECT_EQ(other.end(), FiberEnd::kCancelled);
}

TEST_F(FiberTest, YieldsOnlyWhenTheTurnIsOverItsBudget) {
  const auto worker = [](FiberScheduler& fibers, TickClock& clock, Log& log) -> Fiber {
    EXPECT_FALSE(co_await fibers.YieldIfOver()) << "the first one begins the measurement";
    clock.Advance(800);
    EXPECT_FALSE(co_await fibers.YieldIfOver());
    clock.Advance(1);
    EXPECT_TRUE(co_await fibers.YieldIfOver());
    log.push_back("second turn");
    clock.Advance(800);
    EXPECT_FALSE(co_await fibers.YieldIfOver());
  };
  fibers_.Spawn("worker", worker(fibers_, clock_, log_));
  fibers_.Spawn("other", Says(fibers_, log_, "other"));
  fibers_.Poll();
  clock_.Advance(100'000);  // not its time
  Settle();
  EXPECT_THAT(log_, ElementsAre("other", "second turn"));
  EXPECT_EQ(fibers_.counters().yields_over_budget, 1u);
}

enum Kind : uint16_t { kQuote = 1, kUnknown };

TEST_F(FiberTest, PushWaitsForQueueSpaceAndPushesOnce) {
  std::vector<int> handled;
  Engine engine({.queue_capacity = 2, .clock = &clock_});
  engine.On(kQuote, [&](const Signal& s, Context&) { handled.push_back(s.As<int>()); });
  engine.AddPoller(&fibers_);
  const auto producer = [](FiberScheduler& fibers, Engine& to) -> Fiber {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(co_await fibers.Push(to, Signal::Of(kQuote, i)), PushResult::kOk);
    }
    EXPECT_EQ(co_await fibers.Push(to, Signal::Of(kUnknown)), PushResult::kUnknownKind);
  };
  fibers_.Spawn("producer", producer(fibers_, engine));
  fibers_.Poll();
  EXPECT_THAT(fibers_.Report(), HasSubstr("producer waits for queue space"));
  EXPECT_EQ(fibers_.NextDeadlineNs(), 1'000u + FiberOptions().condition_ns)
      << "nobody announces space in the queue of another thread's engine";
  engine.Drain();
  EXPECT_THAT(handled, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(fibers_.counters().done, 1u);
}

TEST_F(FiberTest, UntilAsksOnceARoundAndRethrowsWhatItsConditionThrows) {
  int asked = 0;
  const auto waiter = [](FiberScheduler& fibers, int& count, Log& log) -> Fiber {
    co_await fibers.Until("three", [&count] { return ++count == 3; });
    log.push_back("three");
    try {
      co_await fibers.Until(
          "four", [&count]() -> bool { throw std::runtime_error(std::to_string(count)); });
    } catch (const std::runtime_error& error) {
      log.push_back(error.what());
    }
  };
  fibers_.Spawn("waiter", waiter(fibers_, asked, log_));
  fibers_.Poll();
  EXPECT_EQ(asked, 1);
  fibers_.Poll();
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(fibers_.HasWork());
  fibers_.Poll();
  EXPECT_THAT(log_, ElementsAre("three", "3"));
}

TEST_F(FiberTest, AConditionMayCancelAnotherThatIsAsked) {
  Fiber second;
  const auto waits = [](FiberScheduler& fibers, Fiber* cancelled, int& asked) -> Fiber {
    co_await fibers.Until("never", [cancelled, &asked] {
      if (++asked > 2 && cancelled != nullptr) cancelled->Cancel();
      return false;
    });
  };
  int asked = 0, asked_second = 0;
  Fiber first = waits(fibers_, &second, asked);
  second = waits(fibers_, nullptr, asked_second);
  fibers_.Spawn("first", first);
  fibers_.Spawn("second", second);
  for (int i = 0; i < 5; ++i) fibers_.Poll();
  EXPECT_EQ(second.end(), FiberEnd::kCancelled);
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(asked_second, 3);
}

TEST_F(FiberTest, WaitsForTheNextSignalOfAKind) {
  SignalArrival quotes;
  Engine engine({.clock = &clock_});
  engine.On(kQuote, [&](const Signal& s, Context&) { quotes.Notify(s); });
  engine.AddPoller(&fibers_);
  const auto reader = [](FiberScheduler&, SignalArrival& from, Log& log) -> Fiber {
    for (int i = 0; i < 2; ++i) {
      const std::optional<Signal> signal = co_await from.Next();
      log.push_back(signal ? std::to_string(signal->As<int>()) : "none");
    }
  };
  engine.Push(Signal::Of(kQuote, 7));
  engine.Drain();
  EXPECT_EQ(quotes.missed(), 1u);
  fibers_.Spawn("reader", reader(fibers_, quotes, log_));
  fibers_.Spawn("reader", reader(fibers_, quotes, log_));
  engine.Poll();
  EXPECT_THAT(fibers_.Report(), HasSubstr("reader waits for signal"));
  engine.Push(Signal::Of(kQuote, 8));
  engine.Drain();
  EXPECT_THAT(log_, ElementsAre("8", "8"));
  engine.Push(Signal::Of(kQuote, 9));
  engine.Drain();
  EXPECT_THAT(log_, ElementsAre("8", "8", "9", "9"));
  EXPECT_EQ(quotes.missed(), 1u);
}

TEST_F(FiberTest, ASignalArrivalThatGoesAnswersThoseThatWait) {
  auto quotes = std::make_unique<SignalArrival>();
  const auto reader = [](FiberScheduler&, SignalArrival& from, Log& log) -> Fiber {
    const std::optional<Signal> signal = co_await from.Next();
    log.push_back(signal ? "signal" : "none");
  };
  fibers_.Spawn("reader", reader(fibers_, *quotes, log_));
  Fiber cancelled = reader(fibers_, *quotes, log_);
  fibers_.Spawn("cancelled", cancelled);
  Settle();
  cancelled.Cancel();
  quotes.reset();
  Settle();
  EXPECT_THAT(log_, ElementsAre("none"));
}

TEST_F(FiberTest, ExhaustionIsATypedRefusalAndPasses) {
  std::vector<Fiber> kept;
  for (int i = 0; i < 16; ++i) {
    kept.push_back(Says(fibers_, log_, "a"));
    ASSERT_EQ(fibers_.Spawn("a", kept.back()), SpawnResult::kOk);
  }
  Fiber refused = Says(fibers_, log_, "b");
  EXPECT_EQ(fibers_.Spawn("b", refused), SpawnResult::kExhausted);
  EXPECT_EQ(refused.end(), FiberEnd::kNotRun);
  EXPECT_EQ(fibers_.counters().refused_exhausted, 1u);
  Settle();
  EXPECT_EQ(fibers_.Spawn("b", Says(fibers_, log_, "b")), SpawnResult::kExhausted)
      << "the handles keep the places";
  kept.clear();
  EXPECT_EQ(fibers_.Spawn("b", Says(fibers_, log_, "b")), SpawnResult::kOk);
  Settle();
}

TEST_F(FiberTest, AFrameThatIsTooLargeIsATypedRefusal) {
  const auto large = [](FiberScheduler& fibers, char fill) -> Fiber {
    volatile char bytes[4'096];
    for (volatile char& byte : bytes) byte = fill;
    co_await fibers.Yield();
    EXPECT_EQ(bytes[100], fill);
  };
  EXPECT_EQ(fibers_.Spawn("large", large(fibers_, 'x')), SpawnResult::kFrameTooLarge);
  EXPECT_EQ(fibers_.counters().refused_frame_too_large, 1u);
  FiberScheduler roomy(clock_, {.fibers = 1, .frame_bytes = 8'192});
  EXPECT_EQ(roomy.Spawn("large", large(roomy, 'x')), SpawnResult::kOk);
  while (roomy.Poll() != 0) {
  }
  EXPECT_EQ(roomy.counters().done, 1u);
}

TEST_F(FiberTest, SpawningTwiceOrNothingIsAnsweredWithNotAFiber) {
  Fiber fiber = SaysTwice(fibers_, log_, "a"), empty;
  EXPECT_EQ(fibers_.Spawn("a", fiber), SpawnResult::kOk);
  EXPECT_EQ(fibers_.Spawn("a", fiber), SpawnResult::kNotAFiber);
  EXPECT_EQ(fibers_.Spawn("empty", empty), SpawnResult::kNotAFiber);
  Fiber moved = std::move(fiber);
  EXPECT_EQ(fiber.end(), FiberEnd::kNotRun);  // NOLINT(bugprone-use-after-move): defined
  EXPECT_TRUE(moved.running());
  Settle();
  EXPECT_EQ(moved.end(), FiberEnd::kDone);
}

TEST_F(FiberTest, WhatHasNotEndedIsReportedWhenTheSchedulerGoes) {
  Fiber handle, created;
  {
    FiberScheduler fibers(clock_, Options());
    handle = Line(fibers, log_, 2);
    created = Line(fibers, log_, 1);
    fibers.Spawn("top", handle);
    fibers.Spawn("ended", Says(fibers, log_, "ended"));
    fibers.Poll();
    fibers.Poll();
    fibers.Spawn("new", Says(fibers, log_, "never"));
    log_.clear();
  }
  EXPECT_THAT(log_, ElementsAre("top waits for sleep", "line waits for sleep",
                                "new waits for its first turn", "~1", "~2"));
  EXPECT_EQ(handle.end(), FiberEnd::kNotRun) << "the handle outlives the scheduler, empty";
}

TEST_F(FiberTest, AFiberThatWaitsForItselfIsReportedToo) {
  {
    FiberScheduler fibers(clock_, Options());
    Fiber self;
    self = Joins(fibers, log_, self);
    fibers.Spawn("self", self);
    fibers.Poll();
    Fiber* const moved = new Fiber(std::move(self));
    fibers.Poll();
    EXPECT_TRUE(moved->running());
    EXPECT_THAT(fibers.Report(), HasSubstr("self waits for join"));
    delete moved;
  }
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(FiberTest, CancelAllBeforeShutdownLeavesNothingToReport) {
  {
    FiberScheduler fibers(clock_, Options());
    fibers.Spawn("a", Line(fibers, log_, 3));
    fibers.Spawn("b", Line(fibers, log_, 1));
    const auto stopper = [](FiberScheduler& own, Log& log) -> Fiber {
      Guard guard(log, "stopper");
      co_await own.Yield();
      co_await own.Yield();
      own.CancelAll();
      log.push_back("stopping");
      co_await own.Yield();
    };
    fibers.Spawn("stopper", stopper(fibers, log_));
    fibers.Spawn("c", Line(fibers, log_, 1));
    while (fibers.Poll() != 0) {
    }
    EXPECT_EQ(fibers.counters().alive, 0u);
  }
  EXPECT_THAT(log_, ElementsAre("~1", "~1", "~1", "~2", "~3", "stopping", "~stopper"));
}

TEST_F(FiberTest, ALongLineOfJoinsNeedsNoDeepStack) {
  FiberScheduler fibers(clock_, {.fibers = 50'000});
  struct Bodies {
    static Fiber Chain(FiberScheduler& own, int depth, int& ended) {
      if (depth > 1) {
        Fiber next = Chain(own, depth - 1, ended);
        own.Spawn("chain", next);
        co_await own.Join(next);
      }
      ++ended;
    }
  };
  int ended = 0;
  fibers.Spawn("chain", Bodies::Chain(fibers, 50'000, ended));
  while (fibers.Poll() != 0) {
  }
  EXPECT_EQ(ended, 50'000);
  fibers.Spawn("chain", Bodies::Chain(fibers, 50'000, ended));
  for (int i = 0; i < 49'999; ++i) fibers.Poll();
  fibers.CancelAll();
  EXPECT_EQ(fibers.counters().cancelled, 50'000u);
}

TEST_F(FiberTest, TheReportShowsTheTreeAndTheCounts) {
  Fiber top = Line(fibers_, log_, 2);
  fibers_.Spawn("top", top);
  fibers_.Spawn("done", Says(fibers_, log_, "done"));
  Settle();
  const std::string report = fibers_.Report();
  EXPECT_THAT(report, HasSubstr("3 spawned, 1 done"));
  EXPECT_THAT(report, HasSubstr("  top waits for sleep\n    line waits for sleep\n"));
}

// In real time, as Run() sleeps in it. Ends once the engine has slept.
TEST(FiberRunTest, AnEngineSleepsUntilTheNextFiberIsDue) {
  Engine engine({.idle_pauses = 1, .idle_yields = 0});
  FiberScheduler fibers(engine.clock(), {.fibers = 2});
  engine.AddPoller(&fibers);
  std::stop_source stop;
  const auto body = [](FiberScheduler& own, Engine& slept, std::stop_source& stopped) -> Fiber {
    while (slept.sleeps() == 0) {
      const uint64_t until_ns = own.now_ns() + 5'000'000;
      co_await own.SleepUntil(until_ns);
      EXPECT_GE(own.now_ns(), until_ns);
    }
    stopped.request_stop();
  };
  fibers.Spawn("body", body(fibers, engine, stop));
  engine.Run(stop.get_token());
  EXPECT_EQ(fibers.counters().done, 1u);
}

TEST(FiberDeathTest, PollingFromInsideAFiberIsABug) {
  TickClock clock(TickClock::Source::kManual);
  FiberScheduler fibers(clock, {.fibers = 1});
  const auto body = [](FiberScheduler& own) -> Fiber {
    own.Poll();
    co_return;
  };
  fibers.Spawn("body", body(fibers));
  EXPECT_DEATH(fibers.Poll(), "check failed");
}

}  // namespace
}  // namespace bitactor
