// A journal with commits, in files that lose power, and what must be true afterwards.
#ifndef BITACTOR_TESTS_PERSISTENCE_DURABILITY_FIXTURE_H_
#define BITACTOR_TESTS_PERSISTENCE_DURABILITY_FIXTURE_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bitactor/persistence/group_commit.h"
#include "bitactor/persistence/journal_verify.h"
#include "persistence/journal_fixture.h"
#include "support/seed.h"

namespace bitactor::test {

class DurabilityFixture : public JournalFixture {
 protected:
  void MustOpenAt(Durability durability) {
    JournalOptions options = Options();
    options.durability = durability;
    absl::StatusOr<Journal> opened = Journal::Open(kDir, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = std::make_unique<Journal>(*std::move(opened));
  }
  void AppendDurably(std::string_view text) {
    const absl::Status status = journal_->WaitDurable(Append(text));
    EXPECT_TRUE(status.ok()) << status;
  }
  // The machine loses power: what the files were stays in old_files_.
  void LosePower() {
    std::unique_ptr<SimulatedFiles> after = files_->AfterPowerLoss(random_);
    journal_.reset();
    old_files_.push_back(std::exchange(files_, std::move(after)));
  }
  // The same, and nothing but what was synced stays.
  void LosePowerAndAllUnsynced() {
    std::unique_ptr<SimulatedFiles> after = files_->AfterLossOfAllUnsynced();
    journal_.reset();
    old_files_.push_back(std::exchange(files_, std::move(after)));
  }

  std::mt19937_64 random_{Seed()};
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_DURABILITY_FIXTURE_H_
