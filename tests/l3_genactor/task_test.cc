#include "bitactor/l3_genactor/task.h"

#include <gtest/gtest.h>

#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bitactor {
namespace {

// A place where a coroutine waits until the test lets it go on.
class Gate {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
  void await_resume() noexcept {}

  bool Waited() const { return waiting_ != nullptr; }
  void Open() { std::exchange(waiting_, nullptr).resume(); }

 private:
  std::coroutine_handle<> waiting_;
};

void Count(void* counter) { ++*static_cast<int*>(counter); }

struct Flag {
  explicit Flag(bool* flag) : flag_(flag) {}
  ~Flag() { *flag_ = true; }
  bool* flag_;
};

Task<int> Immediately(int value) { co_return value; }

Task<int> AfterGate(Gate& gate, int value) {
  co_await gate;
  co_return value;
}

Task<int> Throws() {
  throw std::runtime_error("broken");
  co_return 0;
}

TEST(TaskTest, DoesNothingBeforeItIsStarted) {
  bool ran = false;
  auto body = [](bool* flag) -> Task<void> {
    *flag = true;
    co_return;
  };
  Task<void> task = body(&ran);
  EXPECT_FALSE(ran);
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_TRUE(ran);
}

TEST(TaskTest, StartRunsToTheEndWhenNothingSuspends) {
  Task<int> task = Immediately(7);
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(done, 1);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.Result(), 7);
}

TEST(TaskTest, CallsOnDoneOnceWhenItFinishesLater) {
  Gate gate;
  Task<int> task = AfterGate(gate, 9);
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(done, 0);
  EXPECT_FALSE(task.done());
  gate.Open();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(task.Result(), 9);
}

TEST(TaskTest, AnAwaitedChildResumesItsParent) {
  Gate gate;
  auto parent = [](Gate& g) -> Task<int> { co_return 1 + co_await AfterGate(g, 41); };
  Task<int> task = parent(gate);
  int done = 0;
  task.Start(&Count, &done);
  ASSERT_TRUE(gate.Waited());
  gate.Open();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(task.Result(), 42);
}

TEST(TaskTest, ResultRethrowsWhatLeftTheBody) {
  Task<int> task = Throws();
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_NE(task.Exception(), nullptr);
  EXPECT_THROW(task.Result(), std::runtime_error);
}

TEST(TaskTest, AnExceptionOfAChildReachesItsParent) {
  auto parent = []() -> Task<std::string> {
    try {
      co_await Throws();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  Task<std::string> task = parent();
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(task.Result(), "broken");
}

TEST(TaskTest, AnExceptionAfterASuspensionReachesTheGrandparent) {
  Gate gate;
  auto child = [](Gate& g) -> Task<void> {
    co_await g;
    throw std::logic_error("late");
  };
  auto parent = [&child](Gate& g) -> Task<void> { co_await child(g); };
  auto grandparent = [&parent](Gate& g) -> Task<void> { co_await parent(g); };
  Task<void> task = grandparent(gate);
  int done = 0;
  task.Start(&Count, &done);
  gate.Open();
  EXPECT_EQ(done, 1);
  EXPECT_THROW(task.Result(), std::logic_error);
}

TEST(TaskTest, AMillionImmediateAwaitsNeedNoStack) {
  auto loop = []() -> Task<int64_t> {
    int64_t sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await Immediately(i);
    co_return sum;
  };
  Task<int64_t> task = loop();
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(task.Result(), 499'999'500'000);
}

TEST(TaskTest, AMillionSuspendingAwaitsNeedNoStack) {
  Gate gate;
  auto loop = [](Gate& g) -> Task<int64_t> {
    int64_t sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await AfterGate(g, 1);
    co_return sum;
  };
  Task<int64_t> task = loop(gate);
  int done = 0;
  task.Start(&Count, &done);
  while (gate.Waited()) gate.Open();
  EXPECT_EQ(task.Result(), 1'000'000);
}

// Each level waits before it calls the next one, so the chain is built from a shallow stack, and
// only the way back could nest.
Task<int> Chain(Gate& gate, int depth) {
  co_await gate;
  if (depth == 0) co_return 0;
  co_return 1 + co_await Chain(gate, depth - 1);
}

TEST(TaskTest, ADeepChainOfParentsFinishesWithoutStack) {
  Gate gate;
  Task<int> task = Chain(gate, 200'000);
  int done = 0;
  task.Start(&Count, &done);
  while (gate.Waited()) gate.Open();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(task.Result(), 200'000);
}

TEST(TaskTest, DestroyingAnUnfinishedTaskDestroysItsLocals) {
  Gate gate;
  bool destroyed = false;
  auto body = [](Gate& g, bool* flag) -> Task<void> {
    Flag local(flag);
    co_await g;
  };
  int done = 0;
  {
    Task<void> task = body(gate, &destroyed);
    task.Start(&Count, &done);
    EXPECT_FALSE(destroyed);
  }
  EXPECT_TRUE(destroyed);
  EXPECT_EQ(done, 0);
}

TEST(TaskTest, DestroyingAnUnfinishedParentDestroysItsChild) {
  Gate gate;
  bool destroyed = false;
  auto child = [](Gate& g, bool* flag) -> Task<void> {
    Flag local(flag);
    co_await g;
  };
  auto parent = [&child](Gate& g, bool* flag) -> Task<void> { co_await child(g, flag); };
  int done = 0;
  {
    Task<void> task = parent(gate, &destroyed);
    task.Start(&Count, &done);
  }
  EXPECT_TRUE(destroyed);
}

TEST(TaskTest, OnDoneMayDestroyTheTask) {
  Gate gate;
  auto parent = [](Gate& g) -> Task<int> { co_return co_await AfterGate(g, 1); };
  auto owner = std::make_unique<Task<int>>(parent(gate));
  owner->Start([](void* task) { static_cast<std::unique_ptr<Task<int>>*>(task)->reset(); }, &owner);
  ASSERT_NE(owner, nullptr);
  gate.Open();
  EXPECT_EQ(owner, nullptr);
}

TEST(TaskTest, OnDoneMayDestroyTheTaskInsideStart) {
  auto owner = std::make_unique<Task<int>>(Immediately(1));
  owner->Start([](void* task) { static_cast<std::unique_ptr<Task<int>>*>(task)->reset(); }, &owner);
  EXPECT_EQ(owner, nullptr);
}

// A finishing child resumes its parent, which opens the gate of an unrelated task: that one has
// finished when Open() returns.
TEST(TaskTest, ATaskResumedByAResumedParentFinishesBeforeItGoesOn) {
  Gate first;
  Gate second;
  auto waiter = [](Gate& g) -> Task<int> { co_return co_await AfterGate(g, 5); };
  Task<int> other = waiter(second);
  int other_done = 0;
  other.Start(&Count, &other_done);
  int seen = -1;
  auto opener = [](Gate& f, Gate& s, int* done, int* out) -> Task<void> {
    co_await AfterGate(f, 0);
    s.Open();
    *out = *done;
  };
  Task<void> task = opener(first, second, &other_done, &seen);
  int done = 0;
  task.Start(&Count, &done);
  first.Open();
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(other.Result(), 5);
}

TEST(TaskTest, AParentThatSuspendsAgainIsResumedByTheNextChild) {
  Gate gate;
  auto parent = [](Gate& g, std::vector<int>* log) -> Task<void> {
    for (int i = 0; i < 3; ++i) log->push_back(co_await AfterGate(g, i));
  };
  std::vector<int> log;
  Task<void> task = parent(gate, &log);
  int done = 0;
  task.Start(&Count, &done);
  gate.Open();
  EXPECT_EQ(log, std::vector<int>({0}));
  gate.Open();
  gate.Open();
  EXPECT_EQ(log, std::vector<int>({0, 1, 2}));
  EXPECT_EQ(done, 1);
}

TEST(TaskTest, AwaitsANamedChild) {
  auto parent = []() -> Task<int> {
    Task<int> a = Immediately(1);
    Task<int> b = Immediately(2);
    co_return co_await std::move(b) - co_await std::move(a);
  };
  Task<int> task = parent();
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(task.Result(), 1);
}

TEST(TaskTest, YieldsAMoveOnlyValue) {
  auto child = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  auto parent = [&child]() -> Task<std::unique_ptr<int>> { co_return co_await child(); };
  Task<std::unique_ptr<int>> task = parent();
  int done = 0;
  task.Start(&Count, &done);
  EXPECT_EQ(*task.Result(), 3);
}

TEST(TaskTest, MovingLeavesNothingBehind) {
  Task<int> from = Immediately(1);
  Task<int> to = std::move(from);
  EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): the state that is promised
  EXPECT_TRUE(to.valid());
}

TEST(TaskTest, AssigningDestroysTheFormerCoroutine) {
  Gate gate;
  bool destroyed = false;
  auto body = [](Gate& g, bool* flag) -> Task<int> {
    Flag local(flag);
    co_await g;
    co_return 0;
  };
  Task<int> task = body(gate, &destroyed);
  int done = 0;
  task.Start(&Count, &done);
  task = Immediately(2);
  EXPECT_TRUE(destroyed);
  task.Start(&Count, &done);
  EXPECT_EQ(task.Result(), 2);
}

TEST(TaskTest, TakesItsFramesFromThePool) {
  auto run = [] {
    Task<int> task = Immediately(1);
    int done = 0;
    task.Start(&Count, &done);
  };
  run();
  uint32_t cached = 0;
  for (size_t size = 64; size <= 2048; size += 64) {
    cached += internal::CoroutinePool::CachedBlocks(size);
  }
  EXPECT_GT(cached, 0u);
}

static_assert(!std::is_copy_constructible_v<Task<int>> && !std::is_copy_assignable_v<Task<int>>);
static_assert(std::is_nothrow_move_constructible_v<Task<int>>);
static_assert(kIsTask<Task<void>> && !kIsTask<int>);

}  // namespace
}  // namespace bitactor
