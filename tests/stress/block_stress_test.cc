// Blocks on real threads. In every schedule: bytes arrive as they were sent, an effect never before
// its cause, small messages and blocks alike, and at rest no block is in use.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

struct Chunk {
  static constexpr std::string_view kTypeName = "test::Chunk";
};

constexpr uint32_t kShards = 3;
constexpr uint32_t kPorts = 4;
constexpr int kMessages = 600;

// What every payload begins with; the rest follows from it.
struct Head {
  uint64_t port;
  uint64_t number;  // rises by 1 with every message of the port
};

void Fill(std::span<std::byte> bytes, const Head& head) {
  std::memcpy(bytes.data(), &head, sizeof(head));
  for (size_t at = sizeof(head); at < bytes.size(); ++at) {
    bytes[at] = static_cast<std::byte>(head.number * 31 + at);
  }
}
bool IsWhole(std::span<const std::byte> bytes) {
  Head head;
  std::memcpy(&head, bytes.data(), sizeof(head));
  for (size_t at = sizeof(head); at < bytes.size(); ++at) {
    if (bytes[at] != static_cast<std::byte>(head.number * 31 + at)) return false;
  }
  return true;
}

// Each port sends to a stage first and then, of the same number, to the end; a stage forwards to the
// end. So the end may see a number from the stage only after it has seen all that the port had sent
// it before that number: its direct message of number n - 1 at least.
class BlockStress {
 public:
  explicit BlockStress(const std::string& journal_dir) {
    FabricOptions options;
    options.shards = kShards;
    options.lane_slots = 16;
    options.block_bytes = 1 << 20;  // so that it is exhausted again and again
    options.journal_dir = journal_dir;
    options.journal.segment_bytes = 4 << 20;
    fabric_ = Fabric::Start(options).value();
    end_ = fabric_->Serve("end", [this](const Message& m, Sender&) { AtEnd(m); });
    for (int i = 0; stages_.size() < kShards; ++i) {
      const std::string name = "stage" + std::to_string(i);
      if (fabric_->ShardOf(fabric_->Intern(name).id) != stages_.size()) continue;
      stages_.push_back(fabric_->Serve(name, [this](const Message& m, Sender& out) {
        // Refused, it is a dead letter.
        out.Forward(end_, m);
      }));
    }
  }

  void Run(uint64_t seed) {
    std::vector<std::jthread> threads;
    for (uint32_t i = 0; i < kPorts; ++i) {
      threads.emplace_back([this, i, seed] { SendAll(i, seed + i); });
    }
    threads.clear();
    fabric_->WaitIdle();
  }

  Fabric& fabric() { return *fabric_; }
  uint64_t seen() const { return seen_; }
  uint64_t damaged() const { return damaged_; }
  uint64_t early() const { return early_; }

  void LetGo() {
    fabric_->RunOnShard(fabric_->ShardOf(end_.id), [this] { kept_.fill({}); });
  }

 private:
  void SendAll(uint32_t index, uint64_t seed) {
    std::mt19937_64 random(seed);
    Port port = fabric_->OpenPort();
    for (int i = 1; i <= kMessages; ++i) {
      if (i % 50 == 0) port = fabric_->OpenPort();  // with what it sent still on its way
      const size_t size_bytes = random() % 3 == 0 ? 16 + random() % 112 : 129 + random() % 20'000;
      const Address stage = stages_[random() % stages_.size()];
      const Head head{index, static_cast<uint64_t>(i)};
      if (size_bytes <= kMaxPayloadBytes) {
        std::array<std::byte, kMaxPayloadBytes> bytes;
        Fill({bytes.data(), size_bytes}, head);
        for (const Address to : {stage, end_}) {
          while (port.SendBytes<Chunk>(to, {bytes.data(), size_bytes}) != SendResult::kOk) {
            std::this_thread::yield();
          }
        }
        continue;
      }
      absl::StatusOr<Block> block = port.NewBlock(size_bytes);
      while (!block.ok()) {
        std::this_thread::yield();
        block = port.NewBlock(size_bytes);
      }
      Fill(block->bytes(), head);
      const SharedBlock sealed = block->Seal();
      for (const Address to : {stage, end_}) {
        while (port.SendBlock<Chunk>(to, sealed) != SendResult::kOk) std::this_thread::yield();
      }
    }
  }
  void AtEnd(const Message& m) {
    ++seen_;
    damaged_ += !m.IsBytes<Chunk>() || !IsWhole(m.bytes());
    Head head;
    std::memcpy(&head, m.bytes().data(), sizeof(head));
    if (IsPort(m.source())) {
      direct_[head.port] = std::max(direct_[head.port], head.number);
    } else {
      early_ += direct_[head.port] + 1 < head.number;
    }
    kept_[seen_ % kept_.size()] = m.block();
  }

  std::unique_ptr<Fabric> fabric_;
  Address end_;
  std::vector<Address> stages_;
  // The end's.
  uint64_t seen_ = 0;
  uint64_t damaged_ = 0;
  uint64_t early_ = 0;
  std::array<uint64_t, kPorts> direct_{};
  std::array<SharedBlock, 8> kept_;
};

TEST(BlockStressTest, BytesArriveWholeInCausalOrderAndNoBlockIsLeft) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(2); ++round) {
    test::TempDir dir;
    BlockStress stress(round % 2 == 0 ? std::string(dir.path()) : std::string());
    stress.Run(seed + static_cast<uint64_t>(round));
    EXPECT_EQ(stress.damaged(), 0u);
    EXPECT_EQ(stress.early(), 0u);
    const FabricCounters counters = stress.fabric().Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.dead_letters_total(), 0u);
    EXPECT_EQ(stress.seen(), 2u * kPorts * kMessages);
    EXPECT_LE(stress.fabric().Blocks().in_use, 8u) << "but those that are kept";
    stress.LetGo();
    EXPECT_EQ(stress.fabric().Blocks().in_use, 0u);
    EXPECT_EQ(stress.fabric().Blocks().in_use_bytes, 0u);
    EXPECT_TRUE(stress.fabric().Stop().ok());
  }
}

}  // namespace
}  // namespace bitactor
