// Snapshots while shards' threads handle messages, and the removal of what they hold: in every schedule the
// next start has each message once, and so has the one after it.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace snapshot_stress_test {

constexpr uint32_t kNodes = 8;

struct Hop {
  uint64_t value;
  uint64_t hops;
};

// Passes each message on to another node, most of them on the other shard.
class Relay : public Actor<Relay, Hop> {
 public:
  Relay(std::vector<Address> nodes, uint64_t index) : nodes_(std::move(nodes)), index_(index) {}
  void On(const Hop& m) {
    ++messages_;
    sum_ += Mix64(m.value);
    if (m.hops == 0) return;
    const uint64_t next = Mix64(m.value + index_);
    Cast(Ref<Relay>{nodes_[next % kNodes]}, Hop{next, m.hops - 1});
  }
  auto State() const { return std::tie(messages_, sum_); }

 private:
  std::vector<Address> nodes_;
  uint64_t index_;
  uint64_t messages_ = 0;
  uint64_t sum_ = 0;
};

struct Started {
  std::unique_ptr<System> system;
  std::vector<Handle<Relay>> nodes;
};

Started Start(const std::string& dir) {
  SystemOptions options;
  options.shards = 2;
  options.durable = dir;
  options.snapshot_every = 1000;
  options.keep_history = false;
  options.fabric.mailboxes = 8;
  options.fabric.journal.segment_bytes = 1 << 20;
  Started started;
  started.system = System::Start(options).value();
  std::vector<Address> nodes;
  const auto name = [](uint32_t i) { return "relay" + std::to_string(i); };
  for (uint32_t i = 0; i < kNodes; ++i) {
    nodes.push_back(started.system->fabric().Intern(name(i)));
  }
  for (uint32_t i = 0; i < kNodes; ++i) {
    started.nodes.push_back(started.system->Spawn<Relay>(name(i), nodes, uint64_t{i}));
    EXPECT_TRUE(started.nodes.back().ok()) << started.nodes.back().status();
  }
  return started;
}

TEST(SnapshotStressTest, EachMessageTakesEffectOnceWhateverSnapshotsMeetThem) {
  const test::TempDir dir;
  const auto messages = static_cast<uint64_t>(test::Rounds(2000));
  uint64_t digest = 0;
  {
    Started run = Start(dir.File("run"));
    for (uint64_t i = 0; i < messages; ++i) {
      ASSERT_EQ(run.nodes[i % kNodes].Cast(Hop{i, 8}), SendResult::kOk);
      if (i % 500 == 250) {
        const absl::StatusOr<SnapshotReport> report = run.system->Snapshot();
        ASSERT_TRUE(report.ok()) << report.status();
        EXPECT_EQ(report->actors, kNodes);
      }
    }
    ASSERT_TRUE(run.system->SnapshotStatus().ok()) << run.system->SnapshotStatus();
    run.system->WaitIdle();
    digest = run.system->Digest();
    ASSERT_TRUE(run.system->Stop().ok());
  }
  for (int again = 0; again < 2; ++again) {
    Started run = Start(dir.File("run"));
    run.system->WaitIdle();
    EXPECT_EQ(run.system->Digest(), digest);
    EXPECT_LT(run.system->recovered_frames(), messages * 9);
    EXPECT_TRUE(run.system->Counters().AddUp());
  }
}

}  // namespace snapshot_stress_test
}  // namespace bitactor
