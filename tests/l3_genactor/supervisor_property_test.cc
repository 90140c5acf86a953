// Random trees of supervisors under random kills, failures, calls, ends and restarts, against an oracle
// of what each caller must see and of who must live.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "l3_genactor/supervisor_fixture.h"
#include "support/seed.h"

namespace bitactor::supervisor_test {
namespace {

// What a supervisor would do, told as simply as possible: whole trees in one step.
class Oracle {
 public:
  struct Node {
    std::string name;
    Node* parent = nullptr;
    bool supervisor = false;
    Restart restart = Restart::kPermanent;
    bool lives = true;
    int64_t total = 0;  // of a worker, since its start
    Strategy strategy = Strategy::kOneForOne;
    std::vector<std::unique_ptr<Node>> children;
    std::vector<uint64_t> restarts_ns;
    uint32_t max_restarts = 0;
  };

  explicit Oracle(uint64_t within_ns) : within_ns_(within_ns) { top_.supervisor = true; }

  Node* Add(Node* parent, const std::string& name, bool supervisor, Restart restart) {
    auto node = std::make_unique<Node>();
    node->name = name;
    node->parent = parent;
    node->supervisor = supervisor;
    node->restart = restart;
    parent->children.push_back(std::move(node));
    return parent->children.back().get();
  }
  Node* top() { return &top_; }

  // `node` ended by itself.
  void Ends(Node* node, bool normally, uint64_t now_ns) {
    Node* parent = node->parent;
    Stop(*node);
    if (parent == nullptr) return;
    if (node->restart == Restart::kTemporary) return Forget(node);
    if (node->restart == Restart::kTransient && normally) return;
    auto& times = parent->restarts_ns;
    std::erase_if(times, [&](uint64_t t) { return now_ns - t > within_ns_; });
    if (times.size() >= parent->max_restarts) return Ends(parent, /*normally=*/true, now_ns);
    times.push_back(now_ns);
    if (parent->strategy == Strategy::kOneForOne) return StartNode(*node);
    const auto first = std::find_if(parent->children.begin(), parent->children.end(),
                                    [&](const auto& child) { return child.get() == node; });
    const auto begin = parent->strategy == Strategy::kOneForAll ? parent->children.begin() : first;
    std::vector<Node*> affected;
    for (auto i = begin; i != parent->children.end(); ++i) affected.push_back(i->get());
    for (Node* other : affected) {
      Stop(*other);
      if (other->restart == Restart::kTemporary) {
        Forget(other);
      } else {
        StartNode(*other);
      }
    }
  }
  void Terminate(Node* node) {
    Stop(*node);
    if (node->restart == Restart::kTemporary) Forget(node);
  }
  void StartNode(Node& node) {
    if (node.lives) return;
    node.lives = true;
    node.total = 0;
    node.restarts_ns.clear();
    for (const auto& child : node.children) StartNode(*child);
  }

 private:
  void Stop(Node& node) {
    node.lives = false;
    for (size_t i = node.children.size(); i-- > 0;) {
      Stop(*node.children[i]);
      if (node.children[i]->restart == Restart::kTemporary) Forget(node.children[i].get());
    }
  }
  static void Forget(Node* node) {
    std::erase_if(node->parent->children, [&](const auto& child) { return child.get() == node; });
  }

  const uint64_t within_ns_;
  Node top_;
};

class SupervisorPropertyTest : public SupervisorTest {
 protected:
  static constexpr absl::Duration kWithin = absl::Seconds(1);

  // The whole life of one random tree, beside those of the lives before it.
  void Live(uint64_t seed, int steps) {
    std::mt19937_64 random(seed);
    Oracle oracle(static_cast<uint64_t>(absl::ToInt64Nanoseconds(kWithin)));
    const std::string top = "top" + std::to_string(names_++);
    refs_.insert_or_assign(top, AddSupervisor(oracle, nullptr, top, random));
    Node* const top_node = oracle.top()->children[0].get();
    Grow(oracle, top_node, random, 3);
    for (int step = 0; step < steps && top_node->lives && !HasFailure(); ++step) {
      Act(oracle, random);
      Check(oracle.top());
    }
    EXPECT_TRUE(system_->Counters().AddUp());
  }

 private:
  using Node = Oracle::Node;

  SupervisorRef AddSupervisor(Oracle& oracle, Node* parent, const std::string& name,
                              std::mt19937_64& random) {
    const auto strategy = static_cast<Strategy>(random() % 3);
    const auto max_restarts = static_cast<uint32_t>(random() % 4);
    const Restart restart = static_cast<Restart>(random() % 2);
    Node* node = oracle.Add(parent == nullptr ? oracle.top() : parent, name, true,
                            parent == nullptr ? Restart::kTransient : restart);
    node->strategy = strategy;
    node->max_restarts = max_restarts;
    const SupervisorOptions options{
        .strategy = strategy, .max_restarts = max_restarts, .within = kWithin};
    const SupervisorRef ref = parent == nullptr
                                  ? system_->Supervise(name, options)
                                  : refs_.at(parent->name).Supervise(name, options, restart);
    EXPECT_TRUE(ref.status().ok()) << ref.status();
    return ref;
  }

  void AddWorker(Oracle& oracle, Node* parent, std::mt19937_64& random) {
    const std::string name = "w" + std::to_string(names_++);
    const auto restart = static_cast<Restart>(random() % 3);
    EXPECT_TRUE(refs_.at(parent->name).Spawn<Worker>(name, restart, "w").ok());
    oracle.Add(parent, name, false, restart);
  }

  void Grow(Oracle& oracle, Node* parent, std::mt19937_64& random, int depth) {
    for (uint64_t left = 1 + random() % 4; left > 0; --left) {
      if (depth > 0 && random() % 3 == 0) {
        const std::string name = "s" + std::to_string(names_++);
        refs_.insert_or_assign(name, AddSupervisor(oracle, parent, name, random));
        Grow(oracle, parent->children.back().get(), random, depth - 1);
      } else {
        AddWorker(oracle, parent, random);
      }
    }
  }

  static void Collect(Node* node, std::vector<Node*>& into) {
    for (const auto& child : node->children) {
      into.push_back(child.get());
      Collect(child.get(), into);
    }
  }

  void Act(Oracle& oracle, std::mt19937_64& random) {
    std::vector<Node*> nodes;
    Collect(oracle.top(), nodes);
    Node* node = nodes[random() % nodes.size()];
    const uint64_t now_ns = clock_.NowNanos();
    const uint64_t choice = random() % 12;
    if (choice == 0) {
      Pass(absl::Milliseconds(static_cast<int64_t>(random() % 1500)));
    } else if (node->supervisor) {
      ActOnSupervisor(oracle, node, random);
    } else if (choice < 4) {
      const auto amount = static_cast<int64_t>(random() % 100);
      Ref(node).Cast(supervisor_test::Add{amount});
      if (node->lives) node->total += amount;
    } else if (choice < 9) {
      const How how = static_cast<How>(random() % 3);
      const absl::StatusOr<int64_t> answer = Ref(node).Call(End{how});
      Settle();
      if (!node->lives) {
        EXPECT_EQ(answer.status().code(), absl::StatusCode::kNotFound);
        return;
      }
      EXPECT_EQ(answer.status().code(),
                how == How::kThrow ? absl::StatusCode::kInternal : absl::StatusCode::kOk);
      if (answer.ok()) {
        EXPECT_EQ(*answer, node->total);
      }
      oracle.Ends(node, how != How::kThrow, now_ns);
    } else if (choice < 11) {
      const bool lived = node->lives;
      Ref(node).Stop(ExitReason::Kill());
      Settle();
      if (lived) oracle.Ends(node, /*normally=*/false, now_ns);
    } else {
      TerminateOrStart(oracle, node);
    }
  }

  void ActOnSupervisor(Oracle& oracle, Node* node, std::mt19937_64& random) {
    const std::string name = node->name;
    EXPECT_EQ(refs_.at(name).running(), node->lives) << name;
    if (random() % 2 == 0 && node->parent != oracle.top()) return TerminateOrStart(oracle, node);
    if (node->lives) {
      AddWorker(oracle, node, random);
    } else {
      EXPECT_EQ(refs_.at(name).Spawn<Worker>("never", Restart::kPermanent, "w").status().code(),
                absl::StatusCode::kFailedPrecondition);
    }
  }

  void TerminateOrStart(Oracle& oracle, Node* node) {
    const SupervisorRef parent = refs_.at(node->parent->name);
    const std::string name = node->name;
    if (!node->parent->lives) {
      EXPECT_EQ(parent.TerminateChild(name).code(), absl::StatusCode::kFailedPrecondition);
    } else if (node->lives) {
      EXPECT_EQ(parent.DeleteChild(name).code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_TRUE(parent.TerminateChild(name).ok());
      oracle.Terminate(node);
    } else {
      EXPECT_TRUE(parent.RestartChild(name).ok());
      oracle.StartNode(*node);
    }
    Settle();
  }

  Handle<Worker> Ref(Node* node) {
    const std::optional<ActorId> id = system_->fabric().Find(node->name);
    return Handle<Worker>(system_.get(), Address{*id});
  }

  // Every worker answers, or is not there, as the oracle says.
  void Check(Node* node) {
    for (const auto& child : node->children) {
      if (child->supervisor) {
        Check(child.get());
        continue;
      }
      const absl::StatusOr<int64_t> value = Ref(child.get()).Call(Get{});
      if (child->lives) {
        EXPECT_EQ(value.value_or(-1), child->total) << child->name << " " << value.status();
      } else {
        EXPECT_EQ(value.status().code(), absl::StatusCode::kNotFound) << child->name;
      }
    }
  }

  std::map<std::string, SupervisorRef> refs_;
  int names_ = 0;
};

TEST_F(SupervisorPropertyTest, WhoLivesAndWhatCallersSeeIsWhatTheOracleSays) {
  const uint64_t seed = test::Seed();
  const int rounds = test::Rounds(30);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    Live(seed + static_cast<uint64_t>(round), 30);
  }
}

}  // namespace
}  // namespace bitactor::supervisor_test
