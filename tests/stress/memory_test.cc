// The memory of a fabric is fixed once it runs: under a steady load it takes no more.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

struct Load {
  static constexpr std::string_view kTypeName = "test::MemoryLoad";
  uint64_t words[8];
};

// What the kernel counts as this process's memory that belongs to no file.
uint64_t AnonymousKib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib;
  }
  return 0;
}

class MemoryTest : public ::testing::Test {
 protected:
  // From a port to a mailbox that passes all on to another, as fast as they take it.
  void Send(uint64_t messages) {
    for (uint64_t i = 0; i < messages; ++i) {
      while (port_.Post(relay_, Load{{i}}) == SendResult::kFull) {
        port_.Flush();
        std::this_thread::yield();
      }
    }
    port_.Flush();
    fabric_->WaitIdle();
  }

  test::TempDir dir_;
  std::unique_ptr<Fabric> fabric_;
  Address relay_;
  Port port_;
};

TEST_F(MemoryTest, ASteadyLoadTakesNoMore) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "skipped: the sanitizers keep notes of their own on memory";
#endif
  constexpr uint64_t kMessages = 200'000;
  FabricOptions options;
  options.shards = 2;
  options.span_capacity = 4096;
  options.journal_dir = dir_.path();
  options.journal.segment_bytes = 4 << 20;  // a dozen of them come and go
  fabric_ = Fabric::Start(options).value();
  uint64_t kept = 0;
  const Address store = fabric_->Serve("store", [&](const Message&, Sender&) { ++kept; });
  // On the other shard, if the first name is not.
  std::string name = "relay";
  while (fabric_->ShardOf(fabric_->Intern(name).id) == fabric_->ShardOf(store.id)) name += "'";
  relay_ = fabric_->Serve(
      name, [store](const Message& m, Sender& out) { out.Send(store, m.As<Load>()); });
  port_ = fabric_->OpenPort();

  Send(kMessages);  // every ring has gone round, every buffer has grown to what it needs
  const uint64_t before_kib = AnonymousKib();
  ASSERT_GT(before_kib, 0u);
  Send(kMessages);
  const uint64_t after_kib = AnonymousKib();
  EXPECT_EQ(kept, 2 * kMessages);
  EXPECT_TRUE(fabric_->Counters().AddUp());
  // A byte for each message would be 195 KiB. What is allowed is a few pages of stacks and of the
  // journals' helpers.
  EXPECT_LE(after_kib, before_kib + 128);
  RecordProperty("grown_kib", std::to_string(after_kib) + " - " + std::to_string(before_kib));
}

}  // namespace
}  // namespace bitactor
