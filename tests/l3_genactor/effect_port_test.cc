// Effects on the outside world: at least once, each with one key, over every way in which a run may end.
#include "bitactor/l3_genactor/effect_port.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace effect_port_test {

struct Email {
  uint64_t to;
  uint64_t order;
};
struct Order {
  uint64_t number;
};

// Asks for an email for each order.
class Shop : public Actor<Shop, Order> {
 public:
  explicit Shop(Ref<EffectKeeper<Email>> emails) : emails_(emails) {}
  void On(const Order& order) {
    ++orders_;
    Cast(emails_, Email{order.number % 3, order.number});
  }
  auto State() const { return std::tie(orders_); }

 private:
  Ref<EffectKeeper<Email>> emails_;
  uint64_t orders_ = 0;
};

// One start on given files.
class ShopRun {
 public:
  ShopRun(test::SimulatedFiles* files, TickClock* clock, Durability level) {
    SystemOptions options = test::DurableOptions(files, clock);
    options.fabric.journal.durability = level;
    system_ = System::Start(options).value();
    auto emails = EffectPort<Email>::Open(*system_, "emails");
    EXPECT_TRUE(emails.ok()) << emails.status();
    emails_ = *std::move(emails);
    shop_ = system_->Spawn<Shop>("shop", emails_->ref());
    feed_ = system_->fabric().OpenPort({.name = "orders"});
  }

  System& system() { return *system_; }
  EffectPort<Email>& emails() { return *emails_; }
  void Ask(uint64_t number) { feed_.Send(shop_.ref().address, Order{number}); }

 private:
  std::unique_ptr<System> system_;
  std::optional<EffectPort<Email>> emails_;
  Handle<Shop> shop_;
  Port feed_;
};

class EffectPortTest : public ::testing::Test {
 protected:
  void Start(Durability level = Durability::kProcess) {
    run_ = std::make_unique<ShopRun>(files_.get(), &clock_, level);
  }
  void KillAndStart() {
    std::unique_ptr<test::SimulatedFiles> left = files_->AfterKill();
    run_.reset();
    files_ = std::move(left);
    Start();
  }
  EffectPort<Email>& emails() { return run_->emails(); }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_ = std::make_unique<test::SimulatedFiles>();
  std::unique_ptr<ShopRun> run_;
};

TEST_F(EffectPortTest, EffectsComeInTheOrderInWhichTheyWereAskedFor) {
  Start();
  for (uint64_t i = 1; i <= 100; ++i) run_->Ask(i);
  std::set<std::string> keys;
  for (uint64_t i = 1; i <= 100; ++i) {
    const absl::StatusOr<Effect<Email>> effect = emails().Next(absl::Seconds(1));
    ASSERT_TRUE(effect.ok()) << effect.status();
    EXPECT_EQ(effect->message.order, i);
    EXPECT_EQ(effect->number, i);
    keys.insert(effect->key.ToString());
  }
  EXPECT_EQ(keys.size(), 100u);
  EXPECT_EQ(emails().Next(absl::Seconds(1)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(EffectPortTest, WhatWasNotDoneComesAgainWithItsKeyAndWhatWasDoneDoesNot) {
  Start();
  for (uint64_t i = 1; i <= 4; ++i) run_->Ask(i);
  std::map<uint64_t, EffectKey> keys;
  for (int i = 0; i < 4; ++i) {
    const Effect<Email> effect = *emails().Next(absl::Seconds(1));
    keys[effect.message.order] = effect.key;
    if (effect.message.order % 2 == 0) {
      EXPECT_EQ(emails().Done(effect), SendResult::kOk);
    }
  }
  run_->system().WaitIdle();
  for (int starts = 0; starts < 2; ++starts) {
    if (starts == 1) {
      ASSERT_TRUE(run_->system().Snapshot().ok());
    }
    KillAndStart();
    for (const uint64_t order : {1, 3}) {
      const absl::StatusOr<Effect<Email>> effect = emails().Next(absl::Seconds(1));
      ASSERT_TRUE(effect.ok()) << effect.status();
      EXPECT_EQ(effect->message.order, order);
      EXPECT_EQ(effect->key, keys[order]);
    }
    EXPECT_FALSE(emails().Next(absl::Seconds(1)).ok());
  }
}

TEST_F(EffectPortTest, AtLevelGroupNoneComesBeforeItIsDurable) {
  Start(Durability::kGroup);
  run_->Ask(1);
  ASSERT_TRUE(emails().Next(absl::Seconds(1)).ok());
  std::unique_ptr<test::SimulatedFiles> left = files_->AfterLossOfAllUnsynced();
  run_.reset();
  files_ = std::move(left);
  Start(Durability::kGroup);
  const absl::StatusOr<Effect<Email>> again = emails().Next(absl::Seconds(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->message.order, 1u);
}

TEST_F(EffectPortTest, NothingJournalledIsRefused) {
  auto system = System::Start({.fabric = {.threads = false}}).value();
  EXPECT_EQ(EffectPort<Email>::Open(*system, "emails").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Runs that are killed or lose power at random moments, with snapshots in between: each order's effect
// comes, always with the same key; what was said to be done, and is durable, does not come again.
TEST_F(EffectPortTest, EveryEffectComesWhateverHappens) {
  const uint64_t seed = test::Seed();
  for (uint64_t round = 0; round < static_cast<uint64_t>(test::Rounds(3)); ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + round));
    std::mt19937_64 random(seed + round);
    const Durability level = random() % 2 == 0 ? Durability::kProcess : Durability::kGroup;
    files_ = std::make_unique<test::SimulatedFiles>();
    constexpr uint64_t kOrders = 20;
    std::map<uint64_t, std::string> keys;
    std::set<uint64_t> done;
    for (int life = 0; life < 5; ++life) {
      const bool last = life == 4;
      Start(level);
      uint64_t asked = 0;
      for (uint64_t steps = last ? 0 : random() % 60; steps > 0; --steps) {
        const uint64_t choice = random() % 8;
        if (choice < 3 && asked < kOrders) run_->Ask(++asked);
        if (choice == 3) run_->system().fabric().engine(static_cast<uint32_t>(random() % 2)).Poll();
        if (choice == 4) {
          ASSERT_TRUE(run_->system().Snapshot().ok());
        }
        if (choice <= 4) continue;
        const absl::StatusOr<Effect<Email>> effect = emails().Next(absl::Seconds(1));
        if (!effect.ok()) continue;
        EXPECT_FALSE(done.contains(effect->message.order)) << effect->message.order;
        const std::string key = effect->key.ToString();
        EXPECT_EQ(keys.emplace(effect->message.order, key).first->second, key);
        if (random() % 2 == 0) continue;
        emails().Done(*effect);
        if (random() % 2 == 0) continue;
        run_->system().WaitIdle();
        ASSERT_TRUE(run_->system().fabric().Commit().ok());
        done.insert(effect->message.order);
      }
      if (last) {
        while (asked < kOrders) run_->Ask(++asked);
        while (true) {
          const absl::StatusOr<Effect<Email>> effect = emails().Next(absl::Seconds(1));
          if (!effect.ok()) break;
          const std::string key = effect->key.ToString();
          EXPECT_EQ(keys.emplace(effect->message.order, key).first->second, key);
        }
      }
      std::unique_ptr<test::SimulatedFiles> left = level == Durability::kGroup && random() % 2 == 0
                                                       ? files_->AfterPowerLoss(random)
                                                       : files_->AfterKill();
      run_.reset();
      files_ = std::move(left);
    }
    EXPECT_EQ(keys.size(), kOrders);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace effect_port_test
}  // namespace bitactor
