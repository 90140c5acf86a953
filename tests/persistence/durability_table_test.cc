// docs/persistence.md says which level survives what; this does what each cell says.
#include <fstream>
#include <map>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "persistence/durability_fixture.h"

namespace bitactor::test {
namespace {

struct Row {
  std::string level;
  std::map<std::string, std::string> cells;  // by column
};

std::vector<std::string> CellsOf(absl::string_view line) {
  std::vector<std::string> cells;
  line = absl::StripSuffix(absl::StripPrefix(line, "|"), "|");
  for (absl::string_view cell : absl::StrSplit(line, '|')) {
    cells.emplace_back(absl::StripAsciiWhitespace(cell));
  }
  return cells;
}

std::vector<Row> TableOf(const std::string& document) {
  std::ifstream in(document);
  std::string line;
  while (std::getline(in, line) && line.rfind("| level |", 0) != 0) {
  }
  const std::vector<std::string> columns = CellsOf(line);
  std::getline(in, line);  // |---|
  std::vector<Row> rows;
  while (std::getline(in, line) && line.rfind("|", 0) == 0) {
    const std::vector<std::string> cells = CellsOf(line);
    Row row{.level = cells.at(0).substr(1, cells.at(0).size() - 2), .cells = {}};
    for (size_t i = 1; i < columns.size(); ++i) row.cells[columns[i]] = cells.at(i);
    rows.push_back(std::move(row));
  }
  return rows;
}

class DurabilityTableTest : public DurabilityFixture {
 protected:
  static constexpr size_t kRecords = 700;  // more than a segment
  static constexpr size_t kAcknowledged = 400;

  void Crash(const std::string& column) {
    if (column == "process crash") {
      Kill();
    } else if (column == "kernel crash") {
      LosePowerAndAllUnsynced();
    } else if (column == "power loss") {
      LosePower();
    } else {
      FAIL() << "no such column: " << column;
    }
  }

  // How many of the records are found after `column` happened to a journal of this level.
  size_t SurvivorsOf(Durability level, const std::string& column) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(level);
    std::vector<std::string> texts;
    for (size_t i = 0; i < kRecords; ++i) {
      texts.push_back("record " + std::to_string(i));
      const Position position = Append(texts.back());
      if (i + 1 == kAcknowledged) {
        EXPECT_TRUE(journal_->WaitDurable(position).ok());
      }
    }
    files_->WriteBack(random_);
    Crash(column);
    old_files_.clear();
    MustOpenAt(level);
    const std::vector<std::string> found = Replayed();
    EXPECT_LE(found.size(), texts.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], texts[i]);
    journal_.reset();
    return found.size();
  }

  uint64_t SyncsOf(Durability level) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(level);
    const uint64_t before = files_->syncs();
    Position last;
    for (size_t i = 0; i < kAcknowledged; ++i) last = Append("record");
    EXPECT_TRUE(journal_->WaitDurable(last).ok());
    const uint64_t syncs = files_->syncs() - before;
    journal_.reset();
    return syncs;
  }

  void CheckCell(Durability level, const std::string& column, const std::string& cell) {
    size_t least = kRecords;
    size_t most = 0;
    for (int round = 0; round < 20; ++round) {
      const size_t survivors = SurvivorsOf(level, column);
      least = std::min(least, survivors);
      most = std::max(most, survivors);
    }
    if (cell == "all that was appended") {
      EXPECT_EQ(least, kRecords);
    } else if (cell == "all that was acknowledged") {
      EXPECT_EQ(least, kAcknowledged);
      EXPECT_EQ(most, kAcknowledged);
    } else if (cell == "a sound beginning") {
      EXPECT_LT(least, kRecords) << "more is kept than the table says";
    } else {
      FAIL() << "a promise that this test cannot check: " << cell;
    }
  }

  void CheckSyncs(Durability level, const std::string& cell) {
    const uint64_t syncs = SyncsOf(level);
    if (cell == "none while it appends") {
      EXPECT_EQ(syncs, 0u);
    } else if (cell == "one for many records") {
      EXPECT_EQ(syncs, 2u);  // of the segment and of the cut
    } else if (cell == "one for each append") {
      EXPECT_EQ(syncs, 2 * kAcknowledged);
    } else {
      FAIL() << "a promise that this test cannot check: " << cell;
    }
  }
};

TEST_F(DurabilityTableTest, EveryCellIsTrue) {
  const std::vector<Row> rows = TableOf(std::string(BITACTOR_DOCS) + "/persistence.md");
  ASSERT_EQ(rows.size(), 3u);
  for (const Row& row : rows) {
    const absl::StatusOr<Durability> level = ParseDurability(row.level);
    ASSERT_TRUE(level.ok()) << level.status();
    ASSERT_EQ(row.cells.size(), 4u);
    for (const auto& [column, cell] : row.cells) {
      SCOPED_TRACE(row.level + ", " + column + ": " + cell);
      column == "syncs" ? CheckSyncs(*level, cell) : CheckCell(*level, column, cell);
    }
  }
}

}  // namespace
}  // namespace bitactor::test
