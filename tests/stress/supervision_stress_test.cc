// Children of two shards fail, are killed, ended and started again by several threads at once. At the
// end, in every schedule: who should live does, nothing is lost uncounted, and the system ends.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "support/seed.h"

namespace bitactor {
namespace supervision_stress_test {

struct Get {
  using Reply = int64_t;
};
struct Fail {
  using Reply = int64_t;
};

class Server : public Actor<Server, Get, Fail> {
 public:
  int64_t On(const Get&) { return 1; }
  absl::StatusOr<int64_t> On(const Fail&) { return absl::InternalError("failed"); }
};

void Torment(Strategy strategy) {
  auto system = System::Start({.shards = 2}).value();
  const auto top = system->Supervise("top", {.max_restarts = 10'000});
  const auto sub = top.Supervise("sub", {.strategy = strategy, .max_restarts = 10'000});
  std::vector<Handle<Server>> servers;
  for (int i = 0; i < 6; ++i) {
    servers.push_back(sub.Spawn<Server>("server" + std::to_string(i)));
    ASSERT_TRUE(servers.back().ok()) << servers.back().status();
  }
  const int rounds = test::Rounds(60);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        const Handle<Server>& server = servers[static_cast<size_t>(i * 5 + t) % servers.size()];
        EXPECT_FALSE(server.Call(Fail{}).ok());
        if (i % 8 == 0) server.Stop(ExitReason::Kill());
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < rounds; ++i) {
      const std::string name = "server" + std::to_string(i % 6);
      EXPECT_TRUE(sub.TerminateChild(name).ok());
      // A restart of all may have started it already.
      const absl::Status status = sub.RestartChild(name);
      EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
      EXPECT_EQ(sub.CountChildren().specs, 6u);
    }
  });
  for (std::thread& thread : threads) thread.join();
  system->WaitIdle();
  EXPECT_TRUE(sub.running());
  EXPECT_EQ(sub.CountChildren().active, 6u) << TreeText(system->Tree());
  for (const Handle<Server>& server : servers) EXPECT_TRUE(server.Call(Get{}).ok());
  EXPECT_TRUE(top.TerminateChild("sub").ok());
  EXPECT_EQ(sub.CountChildren().active, 0u);
  EXPECT_TRUE(top.RestartChild("sub").ok());
  for (const Handle<Server>& server : servers) EXPECT_TRUE(server.Call(Get{}).ok());
  system->WaitIdle();
  EXPECT_TRUE(system->Counters().AddUp());
  EXPECT_TRUE(system->Stop().ok());
}

TEST(SupervisionStressTest, OneForOne) { Torment(Strategy::kOneForOne); }

TEST(SupervisionStressTest, OneForAll) { Torment(Strategy::kOneForAll); }

}  // namespace supervision_stress_test
}  // namespace bitactor
