// Real threads: causal order, accounting and wake-ups under load.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"
#include "support/simulated_files.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

// Waits until `left()` is 0. A hang is a failure, not a test that never ends; being slow on a busy
// machine is none: what counts is that nothing moves for so long. Nothing here pokes the fabric.
bool ComesToZero(const std::function<uint64_t()>& left) {
  constexpr auto kPatience = std::chrono::seconds(60);
  uint64_t before = left();
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (before != 0) {
    const uint64_t now = left();
    if (now != before) {
      before = now;
      deadline = std::chrono::steady_clock::now() + kPatience;
    } else if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

constexpr uint32_t kShards = 3;
constexpr uint32_t kNodes = 6;  // two on each shard
constexpr uint32_t kPorts = 2;
constexpr uint32_t kSources = kNodes + kPorts;

// How many messages each source had sent to each node, as far as somebody knows (Raynal, Schiper,
// Toueg 1991). A message may be handled when its target has had that many from each.
struct Past {
  std::array<std::array<uint16_t, kNodes>, kSources> sent{};

  void Learn(const Past& other) {
    for (uint32_t i = 0; i < kSources; ++i) {
      for (uint32_t j = 0; j < kNodes; ++j) sent[i][j] = std::max(sent[i][j], other.sent[i][j]);
    }
  }
};
struct Hop {
  static constexpr std::string_view kTypeName = "test::Hop";
  Past past;
  uint32_t source;
  uint32_t hops;
};
static_assert(sizeof(Hop) <= kMaxPayloadBytes);

// Sends at random to nodes on all shards; every node checks what it handles.
class CausalTraffic {
 public:
  CausalTraffic(uint64_t seed, const std::string& journal_dir) : seed_(seed) {
    FabricOptions options;
    options.shards = kShards;
    options.lane_slots = 8;
    options.journal_dir = journal_dir;
    options.journal.segment_bytes = 1 << 20;
    fabric_ = Fabric::Start(options).value();
    std::array<uint32_t, kShards> on_shard{};
    for (int i = 0; nodes_.size() < kNodes; ++i) {
      const std::string name = "node" + std::to_string(i);
      const uint32_t shard = fabric_->ShardOf(fabric_->Intern(name).id);
      if (on_shard[shard]++ >= kNodes / kShards) continue;
      auto node = std::make_unique<Node>();
      node->index = static_cast<uint32_t>(nodes_.size());
      node->random.seed(seed + node->index);
      nodes_.push_back(std::move(node));
      names_.push_back(name);
    }
    // Addresses first: nodes send to each other from their first message on.
    for (uint32_t i = 0; i < kNodes; ++i) nodes_[i]->address = fabric_->Intern(names_[i]);
    for (uint32_t i = 0; i < kNodes; ++i) {
      fabric_->Serve(names_[i], [this, &node = *nodes_[i]](const Message& m, Sender& out) {
        Handle(node, m, out);
      });
    }
  }

  // Each port's thread sends `roots` messages, one in 64 as a call whose answer it learns from.
  void Run(int roots) {
    std::vector<std::jthread> threads;
    for (uint32_t i = 0; i < kPorts; ++i) {
      threads.emplace_back([this, i, roots] { SendRoots(kNodes + i, roots); });
    }
    threads.clear();
    // Relaxed: only the value matters; Counters() is exact at rest.
    ASSERT_TRUE(ComesToZero([this] { return in_flight_.load(std::memory_order_relaxed); }))
        << in_flight_.load() << " messages were never handled";
  }

  Fabric& fabric() { return *fabric_; }
  uint64_t sent() const { return sent_.load(); }
  uint64_t answered() const { return answered_.load(); }
  uint64_t Sum(uint64_t (*what)(const std::array<uint64_t, 3>&)) {
    uint64_t sum = 0;
    for (const auto& node : nodes_) {
      fabric_->RunOnShard(fabric_->ShardOf(node->address.id), [&] { sum += what(node->counts); });
    }
    return sum;
  }
  uint64_t handled() {
    return Sum([](const auto& c) { return c[0]; });
  }
  uint64_t violations() {
    return Sum([](const auto& c) { return c[1]; });
  }
  uint64_t congested() {
    return Sum([](const auto& c) { return c[2]; });
  }

 private:
  struct Node {
    uint32_t index;
    Address address;
    std::mt19937_64 random;
    Past past;
    std::array<uint16_t, kSources> had{};
    std::array<uint64_t, 3> counts{};  // handled, violations, sends that were held back
  };

  void CountSend() {
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    sent_.fetch_add(1, std::memory_order_relaxed);
  }

  void Handle(Node& node, const Message& m, Sender& out) {
    const Hop hop = m.As<Hop>();
    for (uint32_t k = 0; k < kSources; ++k) {
      node.counts[1] += node.had[k] < hop.past.sent[k][node.index];
    }
    ++node.counts[0];
    ++node.had[hop.source];
    node.past.Learn(hop.past);
    uint16_t& known = node.past.sent[hop.source][node.index];
    known = std::max(known, node.had[hop.source]);
    for (uint64_t n = hop.hops > 0 ? node.random() % 3 : 0; n > 0; --n) {
      const auto to = static_cast<uint32_t>(node.random() % kNodes);
      CountSend();
      if (out.Send(nodes_[to]->address, Hop{node.past, node.index, hop.hops - 1}) !=
          SendResult::kOk) {
        ADD_FAILURE() << "a shard's send is held back, never refused";
      }
      ++node.past.sent[node.index][to];
      node.counts[2] += internal::CurrentShard()->port().congested();
    }
    if (m.kind() == FrameKind::kCall) out.Reply(Hop{node.past, node.index, 0});
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
  }

  void SendRoots(uint32_t source, int roots) {
    Port port = fabric_->OpenPort();
    std::mt19937_64 random(seed_ + source);
    Past past;
    for (int i = 0; i < roots; ++i) {
      const auto to = static_cast<uint32_t>(random() % kNodes);
      const Address target = nodes_[to]->address;
      const Hop hop{past, source, static_cast<uint32_t>(random() % 8)};
      CountSend();
      if (random() % 64 == 0) {
        const absl::StatusOr<Frame> reply = port.Call(target, hop, 120'000'000'000);
        if (!reply.ok()) {  // the lane was full: never sent
          EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable) << reply.status();
          in_flight_.fetch_sub(1, std::memory_order_relaxed);
          sent_.fetch_sub(1, std::memory_order_relaxed);
          continue;
        }
        ++past.sent[source][to];  // before learning, for the answer knows of it
        past.Learn(Message(*reply).As<Hop>().past);
        answered_.fetch_add(1, std::memory_order_relaxed);
      } else {
        while (port.Post(target, hop) == SendResult::kFull) {
          port.Flush();
          std::this_thread::yield();
        }
        ++past.sent[source][to];
        if (random() % 4 == 0) port.Flush();
      }
    }
  }

  const uint64_t seed_;
  std::vector<std::unique_ptr<Node>> nodes_;  // each used by the thread of its shard of the moment
  std::vector<std::string> names_;
  // Any thread, relaxed: counts only.
  std::atomic<uint64_t> in_flight_{0};
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> answered_{0};
  std::unique_ptr<Fabric> fabric_;  // stops first
};

TEST(FabricStressTest, CausalOrderHoldsThroughFullLanesSpillsAndCalls) {
  test::TempDir dir;
  CausalTraffic traffic(test::Seed(), dir.path());
  ASSERT_NO_FATAL_FAILURE(traffic.Run(test::Rounds(10'000)));
  EXPECT_EQ(traffic.handled(), traffic.sent());
  EXPECT_EQ(traffic.violations(), 0u);
  EXPECT_GT(traffic.congested(), 0u) << "the lanes are small enough to fill";
  EXPECT_GT(traffic.answered(), 0u);
  traffic.fabric().WaitIdle();
  const FabricCounters counters = traffic.fabric().Counters();
  EXPECT_TRUE(counters.AddUp());
  EXPECT_EQ(counters.sent, traffic.sent());
  EXPECT_EQ(counters.delivered, traffic.sent());
  EXPECT_EQ(counters.read_by_ports, traffic.answered());
  EXPECT_EQ(counters.queued, 0u);
  EXPECT_GE(counters.journalled, traffic.sent());
  EXPECT_TRUE(traffic.fabric().Stop().ok());
}

TEST(FabricStressTest, CausalOrderHoldsWhileMailboxesJoinAndLeave) {
  test::TempDir dir;
  CausalTraffic traffic(test::Seed(), dir.path());
  uint64_t changes = 0;
  {
    std::jthread churn([&](std::stop_token stop) {
      std::mt19937_64 random(test::Seed());
      std::array<bool, 96> is_in{};
      std::fill_n(is_in.begin(), 64, true);
      while (!stop.stop_requested()) {
        const auto mailbox = static_cast<uint32_t>(random() % is_in.size());
        const absl::Status status =
            is_in[mailbox]
                ? traffic.fabric().RemoveMailbox(mailbox)
                : traffic.fabric().AddMailbox(mailbox, 1 + static_cast<uint32_t>(random() % 200));
        if (status.ok()) {
          is_in[mailbox] = !is_in[mailbox];
          ++changes;
        } else {
          EXPECT_EQ(std::count(is_in.begin(), is_in.end(), true), 1) << status;
        }
      }
    });
    ASSERT_NO_FATAL_FAILURE(traffic.Run(test::Rounds(10'000)));
  }
  EXPECT_GT(changes, 0u);
  EXPECT_EQ(traffic.fabric().routing_epoch(), changes);
  EXPECT_EQ(traffic.handled(), traffic.sent());
  EXPECT_EQ(traffic.violations(), 0u);
  traffic.fabric().WaitIdle();
  const FabricCounters counters = traffic.fabric().Counters();
  EXPECT_TRUE(counters.AddUp());
  EXPECT_EQ(counters.delivered, traffic.sent());
  EXPECT_EQ(counters.dead_letters_total(), 0u);
  EXPECT_EQ(counters.queued, 0u);
  RecordProperty("changes", static_cast<int>(changes));
}

struct Ball {
  static constexpr std::string_view kTypeName = "test::Ball";
  uint64_t left;
};

// Names until there is one on the shard that is wanted.
Address NodeOnShard(Fabric& fabric, uint32_t shard) {
  for (int i = 0;; ++i) {
    const Address address =
        fabric.Intern("shard" + std::to_string(shard) + "." + std::to_string(i));
    if (fabric.ShardOf(address.id) == shard) return address;
  }
}

TEST(FabricStressTest, AHundredThousandRoundsBetweenTwoShardsLoseNoWakeUp) {
  std::atomic<uint64_t> left{200'000};
  FabricOptions options;
  options.shards = 2;
  auto fabric = Fabric::Start(options).value();
  const std::array<Address, 2> sides = {NodeOnShard(*fabric, 0), NodeOnShard(*fabric, 1)};
  for (uint32_t i = 0; i < 2; ++i) {
    fabric->Serve(fabric->NameOf(sides[i].id),
                  [&left, other = sides[1 - i]](const Message& m, Sender& out) {
                    const uint64_t n = m.As<Ball>().left;
                    left.store(n, std::memory_order_release);
                    if (n != 0) out.Send(other, Ball{n - 1});
                  });
  }
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(sides[0], Ball{left.load()}), SendResult::kOk);
  ASSERT_TRUE(ComesToZero([&left] { return left.load(std::memory_order_acquire); }))
      << "the ball was lost with " << left.load() << " to go";
  fabric->WaitIdle();
  EXPECT_EQ(fabric->Counters().delivered, 200'001u);
}

TEST(FabricStressTest, AnIdleShardWakesForEachMessageFromOutside) {
  std::atomic<uint64_t> seen{0};
  FabricOptions options;
  options.shards = 2;
  auto fabric = Fabric::Start(options).value();
  const std::array<Address, 2> sides = {NodeOnShard(*fabric, 0), NodeOnShard(*fabric, 1)};
  for (const Address side : sides) {
    fabric->Serve(fabric->NameOf(side.id), [&seen](const Message&, Sender&) {
      seen.fetch_add(1, std::memory_order_release);
    });
  }
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 500; ++i) {
    // Only when its shard sleeps: every message has to wake it.
    const uint32_t shard = i % 2;
    ASSERT_TRUE(ComesToZero([&] { return uint64_t{!fabric->engine(shard).parked()}; }));
    ASSERT_EQ(port.Send(sides[shard], Ball{i}), SendResult::kOk);
    ASSERT_TRUE(ComesToZero([&] { return i + 1 - seen.load(std::memory_order_acquire); })) << i;
  }
}

// Whoever asks the shards while they end has an answer: a task that came too late for its shard's
// thread is not left waiting.
TEST(FabricStressTest, WhoAsksWhileTheFabricStopsIsAnswered) {
  for (int round = 0; round < 20; ++round) {
    FabricOptions options;
    options.shards = 2;
    options.span_capacity = 64;
    auto fabric = Fabric::Start(options).value();
    std::atomic<uint64_t> asked{0};
    std::jthread asking([&] {
      while (!fabric->stopped()) {
        EXPECT_EQ(fabric->Suspicions(), 0u);
        asked.fetch_add(1);
      }
    });
    while (asked.load() < 2) std::this_thread::yield();
    EXPECT_TRUE(fabric->Stop().ok());
  }
}

// A shard whose journal is full refuses again and again; who asks for the reason meanwhile has it.
TEST(FabricStressTest, WhyAJournalIsFullIsToldWhileItRefuses) {
  test::SimulatedFiles files;
  FabricOptions options;
  options.journal_dir = "run";
  options.journal.files = &files;
  options.journal.segment_bytes = 64 << 10;
  options.span_capacity = 64;
  auto fabric = Fabric::Start(options).value();
  files.FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  std::atomic<bool> asked{false};
  std::jthread asking([&] {
    while (fabric->Health().ok()) std::this_thread::yield();
    for (int i = 0; i < 20'000; ++i) {
      ASSERT_EQ(fabric->Health().code(), absl::StatusCode::kResourceExhausted);
    }
    asked.store(true);
  });
  fabric->RunOnShard(0, [&] {
    const uint64_t number = 0;
    while (!asked.load()) {
      fabric->shard(0).JournalSystemRecord(/*type=*/4711, 0, &number, sizeof(number));
    }
  });
}

}  // namespace
}  // namespace bitactor
