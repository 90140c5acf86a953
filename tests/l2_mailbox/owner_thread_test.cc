#include "bitactor/l2_mailbox/owner_thread.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::OwnerThreadNumber";
  uint64_t value;
};

TEST(OwnerThreadTest, IsWhoAsksFirst) {
  internal::OwnerThread owner;
  EXPECT_TRUE(owner.IsCaller());
  bool other = true;
  std::thread([&] { other = owner.IsCaller(); }).join();
  EXPECT_FALSE(other);
  EXPECT_TRUE(owner.IsCaller());
  owner.Reset();
  std::thread([&] { other = owner.IsCaller(); }).join();
  EXPECT_TRUE(other);
  EXPECT_FALSE(owner.IsCaller());
}

class PortOwnerTest : public ::testing::Test {
 protected:
  PortOwnerTest() {
    FabricOptions options;
    options.threads = false;
    options.span_capacity = 64;
    options.mailboxes = 8;
    fabric_ = Fabric::Start(options).value();
    store_ = fabric_->Serve(
        "store", [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); });
    port_ = fabric_->OpenPort();
  }

  std::unique_ptr<Fabric> fabric_;
  Address store_;
  Port port_;
  std::vector<uint64_t> seen_;
};

TEST_F(PortOwnerTest, APortUsedFromTwoThreadsEndsAProgramWithAssertions) {
#ifdef NDEBUG
  GTEST_SKIP() << "skipped: this build has no assertions";
#else
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_EQ(port_.Send(store_, Number{1}), SendResult::kOk);
  const auto elsewhere = [](auto use) { std::thread(use).join(); };
  EXPECT_DEATH(elsewhere([this] { port_.Send(store_, Number{2}); }), "owner_.IsCaller()");
  EXPECT_DEATH(elsewhere([this] { port_.Flush(); }), "owner_.IsCaller()");
#endif
}

TEST_F(PortOwnerTest, APortThatIsMovedMayBeUsedByAnotherThread) {
  ASSERT_EQ(port_.Send(store_, Number{1}), SendResult::kOk);
  std::thread([this, port = std::move(port_)]() mutable {
    EXPECT_EQ(port.Send(store_, Number{2}), SendResult::kOk);
  }).join();
  fabric_->WaitIdle();
  EXPECT_EQ(seen_, (std::vector<uint64_t>{1, 2}));
}

}  // namespace
}  // namespace bitactor
