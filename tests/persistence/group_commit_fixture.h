// Three journals that commit together, whose records say what caused them.
#ifndef BITACTOR_TESTS_PERSISTENCE_GROUP_COMMIT_FIXTURE_H_
#define BITACTOR_TESTS_PERSISTENCE_GROUP_COMMIT_FIXTURE_H_

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bitactor/persistence/group_commit.h"
#include "persistence/journal_fixture.h"
#include "support/seed.h"

namespace bitactor::test {

inline constexpr uint32_t kJournals = 3;
// What a record says about itself: its own number in its journal, and how many records of each
// journal it may depend on.
struct Causes {
  uint64_t number;
  std::array<uint64_t, kJournals> seen;
};

class GroupCommitFixture : public JournalFixture {
 protected:
  const std::string kSet = "set";

  void TearDown() override { CloseAll(); }

  static std::string DirOf(uint32_t i) { return absl::StrFormat("set/shard-%d", i); }

  JournalOptions SetOptions(SimulatedFiles& files) {
    JournalOptions options = Options();
    options.files = &files;
    options.durability = Durability::kGroup;
    return options;
  }

  absl::Status OpenJournal(SimulatedFiles& files, uint32_t i) {
    JournalOptions options = SetOptions(files);
    options.group = group_.get();
    options.owner_number = i;
    absl::StatusOr<Journal> journal = Journal::Open(DirOf(i), options);
    if (!journal.ok()) return journal.status();
    journals_[i] = std::make_unique<Journal>(*std::move(journal));
    return absl::OkStatus();
  }
  // The idle ones stand behind the first of the others.
  void OpenSet(SimulatedFiles& files, uint32_t idle_journals = 0) {
    absl::StatusOr<std::unique_ptr<GroupCommit>> group = GroupCommit::Open(kSet, SetOptions(files));
    ASSERT_TRUE(group.ok()) << group.status();
    group_ = *std::move(group);
    for (uint32_t i = 0; i < kJournals; ++i) {
      const absl::Status status = OpenJournal(files, i);
      ASSERT_TRUE(status.ok()) << status;
      for (uint32_t idle = 0; i == 0 && idle < idle_journals; ++idle) {
        JournalOptions options = SetOptions(files);
        options.group = group_.get();
        options.owner_number = kJournals + idle;
        absl::StatusOr<Journal> journal =
            Journal::Open(absl::StrFormat("set/idle-%d", idle), options);
        ASSERT_TRUE(journal.ok()) << journal.status();
        idle_.push_back(*std::move(journal));
      }
    }
  }
  void CloseAll() {
    idle_.clear();
    for (auto& journal : journals_) journal = nullptr;
    group_ = nullptr;
  }

  // Of every journal, what its records say.
  static std::array<std::vector<Causes>, kJournals> HistoriesOf(
      const std::array<std::unique_ptr<Journal>, kJournals>& journals) {
    std::array<std::vector<Causes>, kJournals> histories;
    for (uint32_t i = 0; i < kJournals; ++i) {
      History history = journals[i]->Replay();
      for (const Record& record : history) {
        Causes causes;
        std::memcpy(&causes, record.bytes().data(), sizeof(causes));
        histories[i].push_back(causes);
      }
      EXPECT_TRUE(history.status().ok()) << history.status();
    }
    return histories;
  }

  std::unique_ptr<GroupCommit> group_;
  std::array<std::unique_ptr<Journal>, kJournals> journals_;
  std::vector<Journal> idle_;
};

inline Frame FrameOf(const Causes& causes, uint64_t stamp_ns) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = sizeof(causes);
  frame.header.stamp_ns = stamp_ns;
  std::memcpy(frame.payload, &causes, sizeof(causes));
  Seal(frame);
  return frame;
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_GROUP_COMMIT_FIXTURE_H_
