// Casts, calls and coroutines allocate nothing once their pools are warm, with the journal and the
// trace ring on.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "bitactor/l3_genactor/guarded.h"
#include "bitactor/l3_genactor/system.h"
#include "support/allocation_counter.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace l3_allocation_test {

struct Add {
  int64_t n;
};
struct Total {
  using Reply = int64_t;
};

class Counter : public Actor<Counter, Add, Total> {
 public:
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Total&) { return total_; }

 private:
  int64_t total_ = 0;
};

struct Forward {
  Ref<Counter> to;
};
struct AskTwice {
  Ref<Counter> of;
  using Reply = int64_t;
};
struct AskGuarded {
  Ref<Counter> of;
  using Reply = int64_t;
};

class Client : public Actor<Client, Forward, AskTwice, AskGuarded> {
 public:
  void On(const Forward& m) { Cast(m.to, Add{1}); }
  Task<int64_t> On(AskTwice m) {
    const int64_t first = co_await Call(m.of, Total{});
    const int64_t second = co_await Call(m.of, Total{});
    co_return first + second;
  }
  Task<int64_t> On(AskGuarded m) {
    auto counter = Guarded(m.of);
    const absl::StatusOr<int64_t> total = co_await counter.Call(Total{});
    co_return total.value_or(-1);
  }
};

constexpr int kWarmUp = 2'000;
constexpr int kMessages = 10'000;

class L3AllocationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SystemOptions options;
    options.durable = dir_.path();
    options.fabric.threads = false;
    options.fabric.span_capacity = 1024;
    options.fabric.journal.prepare_ahead = false;
    auto system = System::Start(options);
    ASSERT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
    counter_ = system_->Spawn<Counter>("counter");
    client_ = system_->Spawn<Client>("client");
  }
  // Allocations of `kMessages` times `act` after a warm-up.
  template <typename Act>
  uint64_t AllocationsOf(Act act) {
    uint64_t before = 0;
    for (int i = 0; i < kWarmUp + kMessages; ++i) {
      if (i == kWarmUp) before = test::AllocationCount();
      act();
    }
    return test::AllocationCount() - before;
  }
  int64_t TotalOfCounter() { return counter_.Call(Total{}).value_or(-1); }

  test::TempDir dir_;
  std::unique_ptr<System> system_;
  Handle<Counter> counter_;
  Handle<Client> client_;
};

TEST_F(L3AllocationTest, ACastFromAPort) {
  Port port = system_->fabric().OpenPort();
  const Address to = counter_.ref().address;
  EXPECT_EQ(AllocationsOf([&] {
              port.Send(to, Add{1});
              system_->fabric().Poll();
            }),
            0u);
  system_->WaitIdle();
  EXPECT_EQ(TotalOfCounter(), kWarmUp + kMessages);
}

TEST_F(L3AllocationTest, ACastFromAHandle) {
  EXPECT_EQ(AllocationsOf([&] {
              counter_.Cast(Add{1});
              system_->fabric().Poll();
            }),
            0u);
  system_->WaitIdle();
  EXPECT_EQ(TotalOfCounter(), kWarmUp + kMessages);
}

TEST_F(L3AllocationTest, ACastFromActorToActor) {
  EXPECT_EQ(AllocationsOf([&] {
              client_.Cast(Forward{counter_});
              system_->fabric().Poll();
            }),
            0u);
  system_->WaitIdle();
  EXPECT_EQ(TotalOfCounter(), kWarmUp + kMessages);
}

TEST_F(L3AllocationTest, ACallFromOutside) {
  counter_.Cast(Add{7});
  int64_t answers = 0;
  EXPECT_EQ(AllocationsOf([&] { answers += counter_.Call(Total{}).value_or(0) == 7; }), 0u);
  EXPECT_EQ(answers, kWarmUp + kMessages);
}

TEST_F(L3AllocationTest, ACoroutineThatCallsTwice) {
  counter_.Cast(Add{7});
  int64_t answers = 0;
  EXPECT_EQ(AllocationsOf([&] { answers += client_.Call(AskTwice{counter_}).value_or(0) == 14; }),
            0u);
  EXPECT_EQ(answers, kWarmUp + kMessages);
}

TEST_F(L3AllocationTest, AGuardedCall) {
  counter_.Cast(Add{7});
  int64_t answers = 0;
  EXPECT_EQ(AllocationsOf([&] { answers += client_.Call(AskGuarded{counter_}).value_or(0) == 7; }),
            0u);
  EXPECT_EQ(answers, kWarmUp + kMessages);
}

}  // namespace l3_allocation_test
}  // namespace bitactor
