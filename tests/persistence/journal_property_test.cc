// Random appends, crashes, closings, torn tails and full disks against a model in memory.
#include <random>

#include "bitactor/persistence/journal_verify.h"
#include "persistence/journal_fixture.h"
#include "support/seed.h"

namespace bitactor::test {
namespace {

class JournalPropertyTest : public JournalFixture {
 protected:
  void AppendSome(std::mt19937_64& random) {
    const int count = static_cast<int>(random() % 200);
    for (int i = 0; i < count; ++i) {
      std::string text(random() % 129, '\0');
      for (char& c : text) c = static_cast<char>(random());
      const absl::StatusOr<Position> position = journal_->Append(Bytes(text));
      if (!position.ok()) {
        ASSERT_TRUE(absl::IsResourceExhausted(position.status())) << position.status();
        return;
      }
      model_.emplace_back(*position, text);
    }
  }

  void CheckAll() {
    const VerifyReport report = VerifyJournal(kDir, *files_).value();
    ASSERT_TRUE(report.ok()) << report.damages[0].ToString();
    size_t i = 0;
    History history = journal_->Replay();
    for (const Record& record : history) {
      ASSERT_LT(i, model_.size());
      ASSERT_EQ(record.position(), model_[i].first);
      const auto bytes = Bytes(model_[i].second);
      ASSERT_TRUE(
          std::equal(bytes.begin(), bytes.end(), record.bytes().begin(), record.bytes().end()));
      ++i;
    }
    ASSERT_TRUE(history.status().ok()) << history.status();
    ASSERT_EQ(i, model_.size());
  }

  void CheckFromSomewhere(std::mt19937_64& random) {
    if (model_.empty()) return;
    const size_t from = random() % model_.size();
    size_t i = from;
    History history = journal_->Replay({.from = model_[from].first});
    for (const Record& record : history) ASSERT_EQ(record.position(), model_[i++].first);
    ASSERT_EQ(i, model_.size());
  }

  std::vector<std::pair<Position, std::string>> model_;
};

TEST_F(JournalPropertyTest, EqualsItsModelAfterAnyCourse) {
  std::mt19937_64 random(Seed());
  MustOpen();
  const int rounds = Rounds(300);
  for (int round = 0; round < rounds && !HasFatalFailure(); ++round) {
    AppendSome(random);
    switch (random() % 6) {
      case 0:
        Kill();
        MustOpen();
        break;
      case 1:
        ASSERT_TRUE(journal_->Close().ok());
        MustOpen();
        break;
      case 2: {
        const Position tail = journal_->tail();
        Kill();
        const uint64_t room_bytes = kSegmentBytes - OffsetOf(tail);
        if (OffsetOf(tail) != 0 && room_bytes > 64) {
          std::vector<std::byte> torn(1 + random() % std::min<uint64_t>(184, room_bytes - 8));
          for (std::byte& b : torn) b = static_cast<std::byte>(random());
          files_->Write(SegmentFile(static_cast<uint32_t>(tail.value() / kSegmentUnits)),
                        OffsetOf(tail) + 8, torn);
        }
        MustOpen();
        ASSERT_EQ(journal_->tail(), tail);
        break;
      }
      case 3:
        files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"));
        AppendSome(random);
        files_->AllowAllocations();
        break;
      case 4:
        CheckFromSomewhere(random);
        break;
      default:
        break;
    }
    if (round % 10 == 0) CheckAll();
    old_files_.clear();
  }
  CheckAll();
}

// No single changed bit of a closed journal goes unnoticed, but in the unused bytes behind a
// payload, which belong to nobody.
TEST_F(JournalPropertyTest, VerifyFindsAnyChangedBit) {
  std::mt19937_64 random(Seed());
  MustOpen();
  for (int i = 0; i < 700; ++i) Append(std::string(random() % 3 * 64, 'x'));  // whole units only
  ASSERT_TRUE(journal_->Close().ok());
  const uint64_t used_units = StatJournal(kDir, *files_)->tail.value();
  for (int round = 0; round < Rounds(300); ++round) {
    const uint64_t unit = random() % used_units;
    const auto segment = static_cast<uint32_t>(unit / kSegmentUnits);
    const uint64_t offset = unit % kSegmentUnits * 64 + random() % 64;
    const int bit = static_cast<int>(random() % 8);
    files_->FlipBit(SegmentFile(segment), offset, bit);
    const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *files_);
    EXPECT_TRUE(!report.ok() || !report->ok() || !report->closed_clean)
        << SegmentFile(segment) << " offset " << offset << " bit " << bit;
    files_->FlipBit(SegmentFile(segment), offset, bit);
  }
}

}  // namespace
}  // namespace bitactor::test
