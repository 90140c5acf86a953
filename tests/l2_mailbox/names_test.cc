// Names and handlers: what a handler may ask of its fabric, and what it cannot without waiting for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Number {
  static constexpr std::string_view kTypeName = "test::NamesNumber";
  uint64_t value;
};

// A fabric that this thread drives.
class NamesTest : public ::testing::Test {
 protected:
  NamesTest() {
    FabricOptions options;
    options.shards = 2;
    options.threads = false;
    options.span_capacity = 64;
    options.mailboxes = 8;
    fabric_ = Fabric::Start(options).value();
    port_ = fabric_->OpenPort();
  }
  void ExpectAllDelivered(uint64_t count) {
    fabric_->WaitIdle();
    const FabricCounters counters = fabric_->Counters();
    EXPECT_EQ(counters.delivered, count);
    EXPECT_TRUE(counters.AddUp());
  }

  std::unique_ptr<Fabric> fabric_;
  Port port_;
};

TEST_F(NamesTest, AHandlerThatInternsANewNameIsToldToDoItBefore) {
  absl::Status status;
  Address address{ActorId{1}};
  const Address a = fabric_->Serve("a", [&](const Message&, Sender&) {
    status = fabric_->TryIntern("new").status();
    address = fabric_->Intern("new");
  });
  ASSERT_EQ(port_.Send(a, Number{1}), SendResult::kOk);
  ExpectAllDelivered(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("\"new\" is new, and a handler cannot intern it"));
  EXPECT_EQ(address.id, ActorId{0});
  EXPECT_EQ(fabric_->Find("new"), std::nullopt);
}

// Serve() itself hands over what waited, while it holds the names.
TEST_F(NamesTest, AMessageThatWaitedForItsHandlerMayAskForANewName) {
  absl::Status status;
  ASSERT_EQ(port_.Send(fabric_->Intern("late"), Number{1}), SendResult::kOk);
  fabric_->WaitIdle();
  fabric_->Serve("late",
                 [&](const Message&, Sender&) { status = fabric_->TryIntern("new").status(); });
  ExpectAllDelivered(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(NamesTest, AHandlerFindsANameThatIsThere) {
  std::vector<uint64_t> seen;
  const Address b =
      fabric_->Serve("b", [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); });
  const Address a = fabric_->Serve("a", [&](const Message& m, Sender& out) {
    EXPECT_EQ(fabric_->Intern("b").id, b.id);
    out.Send(fabric_->Intern("b"), m.As<Number>());
  });
  ASSERT_EQ(port_.Send(a, Number{7}), SendResult::kOk);
  ExpectAllDelivered(2);
  EXPECT_THAT(seen, ElementsAre(7));
}

TEST_F(NamesTest, AHandlerCannotServeAName) {
  Address address{ActorId{1}};
  uint64_t by_b = 0;
  const Address b = fabric_->Serve("b", [&](const Message&, Sender&) { ++by_b; });
  const Address a = fabric_->Serve("a", [&](const Message&, Sender&) {
    address = fabric_->Serve("b", [](const Message&, Sender&) {});
  });
  ASSERT_EQ(port_.Send(a, Number{1}), SendResult::kOk);
  fabric_->WaitIdle();
  ASSERT_EQ(port_.Send(b, Number{2}), SendResult::kOk);
  ExpectAllDelivered(2);
  EXPECT_EQ(address.id, ActorId{0});
  EXPECT_EQ(by_b, 1u) << "as before";
}

}  // namespace
}  // namespace bitactor
