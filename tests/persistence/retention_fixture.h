// A journal whose front is retired, and the texts that are in each of its segments.
#ifndef BITACTOR_TESTS_PERSISTENCE_RETENTION_FIXTURE_H_
#define BITACTOR_TESTS_PERSISTENCE_RETENTION_FIXTURE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/retention.h"
#include "persistence/journal_fixture.h"
#include "support/faulty_files.h"

namespace bitactor::test {

class RetentionFixture : public JournalFixture {
 protected:
  // The number of the segment that an appended text is in.
  std::vector<std::string> TextsFrom(uint32_t segment) {
    return {texts_.begin() + static_cast<ptrdiff_t>(first_of_.at(segment)), texts_.end()};
  }
  // Fills so many segments, and remembers what is in which.
  void Fill(uint32_t segments) {
    while (journal_->tail().value() / kSegmentUnits + 1 < segments || first_of_.size() < segments) {
      AppendNext();
    }
  }
  void AppendNext() {
    const std::string text = "record " + std::to_string(texts_.size());
    const Position position = Append(text);
    if (position.value() / kSegmentUnits == first_of_.size()) first_of_.push_back(texts_.size());
    texts_.push_back(text);
  }
  static Position BeginOf(uint32_t segment) { return Position(segment * kSegmentUnits); }
  RetentionReport Retain(const RetentionOptions& options) {
    absl::StatusOr<RetentionReport> report = journal_->Retain(options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RetentionReport{});
  }
  void RetainBefore(uint32_t segment) {
    EXPECT_EQ(Retain({.before = BeginOf(segment)}).first, BeginOf(segment));
  }
  std::vector<std::string> Segments() {
    std::vector<std::string> names = *files_->List(kDir);
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".seg"); });
    return names;
  }
  std::vector<std::string> Damages() {
    absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *files_);
    EXPECT_TRUE(report.ok()) << report.status();
    std::vector<std::string> texts;
    if (report.ok()) {
      for (const Damage& damage : report->damages) texts.push_back(damage.ToString());
    }
    return texts;
  }
  std::vector<std::string> ReadFrom(Position from) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    if (!reader.ok()) return {std::string(reader.status().message())};
    return TextsOf(reader->Replay({.from = from}));
  }
  // By Open(), by a reader and by StatJournal().
  void ExpectDamage(const std::string& text) {
    journal_.reset();
    EXPECT_THAT(OpenError(), ::testing::HasSubstr(text));
    for (const absl::Status& status :
         {JournalReader::Open(kDir, *files_).status(), StatJournal(kDir, *files_).status()}) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(status.ToString(), ::testing::HasSubstr(text));
    }
  }

  std::vector<std::string> texts_;
  std::vector<size_t> first_of_;  // of each segment: the number of its first text
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_RETENTION_FIXTURE_H_
