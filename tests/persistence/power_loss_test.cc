// Power is lost, or the process dies, before each write, sync and rename, and after each append.
#include <algorithm>
#include <functional>

#include "persistence/durability_fixture.h"

namespace bitactor::test {
namespace {

class PowerLossTest : public DurabilityFixture {
 protected:
  // One world's end: the files as they are, and what was promised about them.
  struct Crash {
    std::unique_ptr<SimulatedFiles> files;
    bool power_lost = false;
    size_t acknowledged = 0;  // of texts_
    size_t appended = 0;
  };

  void TakeCrashes() {
    const auto take = [&](bool power_lost) {
      if (crashes_.size() >= cases_) return;
      crashes_.push_back(
          {.files = power_lost ? files_->AfterPowerLoss(random_) : files_->AfterKill(),
           .power_lost = power_lost,
           .acknowledged = Acknowledged(),
           .appended = texts_.size() + (appending_ ? 1 : 0)});
    };
    if (random_() % 4 == 0) take(false);
    take(true);
    if (random_() % 8 == 0) files_->WriteBack(random_);
  }
  size_t Acknowledged() const {
    size_t count = known_durable_;
    while (journal_ != nullptr && count < positions_.size() &&
           positions_[count] < journal_->durable()) {
      ++count;
    }
    return level_ == Durability::kProcess ? 0 : count;
  }

  JournalOptions OptionsAt(SimulatedFiles& files) {
    JournalOptions options = Options();
    options.files = &files;
    options.durability = level_;
    return options;
  }

  // Appends to files_ what fills more than two segments, closes and opens again now and then.
  void Live() {
    files_->OnStep([this] { TakeCrashes(); });
    MustOpenAt(level_);
    while (crashes_.size() < cases_ && !HasFatalFailure()) {
      std::string text = absl::StrFormat("%d ", texts_.size());
      text.resize(text.size() + random_() % 110, 'x');
      next_text_ = text;
      appending_ = true;
      const Position position = Append(text);
      appending_ = false;
      texts_.push_back(text);
      positions_.push_back(position);
      if (level_ == Durability::kEach) known_durable_ = texts_.size();
      if (random_() % 16 == 0) TakeCrashes();
      if (level_ == Durability::kGroup && random_() % 40 == 0) {
        ASSERT_TRUE(journal_->WaitDurable(position).ok());
        known_durable_ = texts_.size();
      }
      if (level_ != Durability::kProcess && random_() % 300 == 0) {
        ASSERT_TRUE(journal_->Close().ok());
        known_durable_ = texts_.size();
        journal_.reset();
        MustOpenAt(level_);
      }
    }
    files_->OnStep({});
    journal_.reset();
  }

  // What recovery must find: a beginning of what was appended, with all that was acknowledged, and
  // everything if only the process died.
  void CheckBeginning(const Crash& crash, const std::vector<std::string>& found) {
    ASSERT_GE(found.size(), crash.acknowledged);
    ASSERT_LE(found.size(), crash.appended);
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i], i < texts_.size() ? texts_[i] : next_text_) << i;
    }
    if (!crash.power_lost) {
      ASSERT_GE(found.size() + 1, crash.appended);
    }
  }

  // Opens, appends more, loses power again, and opens again.
  void Recover(Crash& crash, size_t number) {
    SCOPED_TRACE(absl::StrFormat("case %d, power lost: %d", number, crash.power_lost));
    std::vector<std::string> kept;
    {
      // Recovery itself is broken off, at a random step.
      std::unique_ptr<SimulatedFiles> interrupted;
      int steps = static_cast<int>(random_() % 12);
      crash.files->OnStep([&] {
        if (steps-- == 0) interrupted = crash.files->AfterPowerLoss(random_);
      });
      absl::StatusOr<Journal> journal = Journal::Open(kDir, OptionsAt(*crash.files));
      crash.files->OnStep({});
      ASSERT_TRUE(journal.ok()) << journal.status();
      kept = TextsOf(journal->Replay());
      CheckBeginning(crash, kept);
      if (interrupted != nullptr) {
        Crash second{.files = std::move(interrupted),
                     .power_lost = true,
                     .acknowledged = crash.acknowledged,
                     .appended = crash.appended};
        absl::StatusOr<Journal> again = Journal::Open(kDir, OptionsAt(*second.files));
        ASSERT_TRUE(again.ok()) << again.status();
        CheckBeginning(second, TextsOf(again->Replay()));
      }
      for (int i = 0; i < 3; ++i) {
        const std::string text = absl::StrFormat("after %d", i);
        absl::StatusOr<Position> position = journal->Append(Bytes(text));
        ASSERT_TRUE(position.ok()) << position.status();
        ASSERT_TRUE(journal->WaitDurable(*position).ok());
        kept.push_back(text);
      }
      std::unique_ptr<SimulatedFiles> after = level_ == Durability::kProcess
                                                  ? crash.files->AfterKill()
                                                  : crash.files->AfterPowerLoss(random_);
      journal = absl::CancelledError();  // in a world that has ended
      crash.files = std::move(after);
    }
    absl::StatusOr<Journal> journal = Journal::Open(kDir, OptionsAt(*crash.files));
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_EQ(TextsOf(journal->Replay()), kept);
    ASSERT_TRUE(journal->Close().ok());
    const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *crash.files);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->ok()) << report->damages[0].ToString();
    ASSERT_EQ(report->records, kept.size());
  }

  void Run(Durability level, size_t cases) {
    level_ = level;
    // Worlds of a few segments each.
    for (size_t done = 0; done < cases && !HasFatalFailure();) {
      cases_ = std::min<size_t>(cases - done, 400);
      Live();
      for (size_t i = 0; i < crashes_.size() && !HasFatalFailure(); ++i) {
        Recover(crashes_[i], done + i);
        crashes_[i].files = nullptr;
      }
      done += crashes_.size();
      crashes_.clear();
      texts_.clear();
      positions_.clear();
      known_durable_ = 0;
      files_ = std::make_unique<SimulatedFiles>();
    }
  }

  Durability level_ = Durability::kGroup;
  size_t cases_ = 0;
  bool appending_ = false;
  std::string next_text_;
  std::vector<std::string> texts_;
  std::vector<Position> positions_;
  size_t known_durable_ = 0;
  std::vector<Crash> crashes_;
};

// 5,000 cases, 100,000 when soaking.
TEST_F(PowerLossTest, GroupLosesNothingAcknowledgedAndInventsNothing) {
  Run(Durability::kGroup, static_cast<size_t>(Rounds(2500)));
}
TEST_F(PowerLossTest, EachLosesNothingAppendedAndInventsNothing) {
  Run(Durability::kEach, static_cast<size_t>(Rounds(1500)));
}
TEST_F(PowerLossTest, ProcessKeepsABeginningAndInventsNothing) {
  Run(Durability::kProcess, static_cast<size_t>(Rounds(1000)));
}

}  // namespace
}  // namespace bitactor::test
