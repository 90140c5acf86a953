// Routes that change without a pause, and all else that needs them to stand still. In every schedule:
// everybody gets a turn, and a handler that asks for names waits for nobody.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"

namespace bitactor {
namespace {

struct Ball {
  static constexpr std::string_view kTypeName = "test::RoutingStressBall";
  uint64_t bounces;
};

TEST(RoutingStressTest, ChangesBackToBackLetAllOthersIn) {
  FabricOptions options;
  options.shards = 2;
  options.mailboxes = 8;
  options.span_capacity = 1024;
  auto fabric = Fabric::Start(options).value();
  // Handlers without end, which ask for names meanwhile: one that is there, and one that is not.
  std::atomic<bool> over{false};
  std::atomic<uint64_t> found{0};
  std::atomic<uint64_t> refused{0};
  const Address ball = fabric->Intern("ball");
  fabric->Serve("ball", [&](const Message& m, Sender& out) {
    // Relaxed: counts, and a flag that ends the sends.
    if (fabric->Intern("ball").id == ball.id) found.fetch_add(1, std::memory_order_relaxed);
    if (!fabric->TryIntern("of a handler").ok()) refused.fetch_add(1, std::memory_order_relaxed);
    if (over.load(std::memory_order_relaxed)) return;
    out.Send(ball, Ball{m.As<Ball>().bounces + 1});
  });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(ball, Ball{0}), SendResult::kOk);

  uint64_t changes = 0;
  {
    std::jthread changer([&](std::stop_token stop) {
      while (!stop.stop_requested()) {
        EXPECT_TRUE(fabric->AddMailbox(8).ok());
        EXPECT_TRUE(fabric->RemoveMailbox(8).ok());
        changes += 2;
      }
    });
    for (int i = 0; i < test::Rounds(30); ++i) {
      const std::string name = absl::StrCat("name", i);
      EXPECT_NE(fabric->Serve(name, [](const Message&, Sender&) {}).id, ActorId{0});
      EXPECT_EQ(fabric->Counters().dead_letters_total(), 0u);
    }
  }
  over.store(true, std::memory_order_relaxed);
  fabric->WaitIdle();
  EXPECT_EQ(fabric->routing_epoch(), changes);
  const FabricCounters counters = fabric->Counters();
  EXPECT_TRUE(counters.AddUp());
  EXPECT_EQ(counters.delivered, counters.sent);
  EXPECT_EQ(found.load(), counters.delivered);
  EXPECT_EQ(refused.load(), counters.delivered);
}

}  // namespace
}  // namespace bitactor
