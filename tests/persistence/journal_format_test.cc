// The example of docs/journal_format.md is what the program writes.
#include <fstream>
#include <sstream>

#include "absl/strings/str_format.h"
#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

class JournalFormatTest : public JournalFixture {};

// As `hexdump -C` shows it.
std::string HexDump(const std::vector<std::byte>& bytes, size_t size_bytes) {
  std::string text;
  for (size_t line = 0; line < size_bytes; line += 16) {
    absl::StrAppendFormat(&text, "%08x ", line);
    std::string letters;
    for (size_t i = line; i < line + 16; ++i) {
      const int value = std::to_integer<int>(bytes[i]);
      absl::StrAppendFormat(&text, " %02x", value);
      if (i % 16 == 7) text += ' ';
      letters += value >= 0x20 && value < 0x7F ? static_cast<char>(value) : '.';
    }
    absl::StrAppendFormat(&text, "  |%s|\n", letters);
  }
  return text;
}

std::string Document() {
  std::ifstream file(BITACTOR_DOCS "/journal_format.md");
  std::stringstream document;
  document << file.rdbuf();
  return document.str();
}

std::string ExampleBlock() {
  std::string block;
  for (int number = 1; number <= 7; ++number) {
    absl::StrAppendFormat(&block, "block, line %d: 20 b.\n", number);
  }
  return block;
}

// The bytes of the lines that look like a hex dump.
std::vector<std::byte> ParseHexDump(const std::string& text) {
  std::vector<std::byte> bytes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 61 || line[8] != ' ' || line[60] != '|') continue;
    EXPECT_EQ(std::stoull(line.substr(0, 8), nullptr, 16), bytes.size());
    std::istringstream numbers(line.substr(9, 50));
    for (unsigned value; numbers >> std::hex >> value;) {
      bytes.push_back(static_cast<std::byte>(value));
    }
  }
  return bytes;
}

TEST_F(JournalFormatTest, TheDocumentedExampleIsWhatIsWritten) {
  JournalOptions options = Options();
  options.owner_number = 7;
  options.random = [] { return uint64_t{0x0123'4567'89AB'CDEF}; };
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  ASSERT_TRUE(journal->Append(Bytes("hello, journal")).ok());
  ASSERT_TRUE(journal->Append(Bytes(ExampleBlock())).ok());
  ASSERT_TRUE(journal->Close().ok());
  const std::string dump = HexDump(files_->Read(SegmentFile(0)), 640);
  EXPECT_NE(Document().find(dump), std::string::npos) << "docs/journal_format.md should have:\n"
                                                      << dump;
}

TEST_F(JournalFormatTest, TheDocumentedExampleIsReadBack) {
  std::vector<std::byte> bytes = ParseHexDump(Document());
  ASSERT_GT(bytes.size(), 64u);
  bytes.resize(kSegmentBytes);
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  auto file = files_->Open(SegmentFile(0), FileSystem::OpenMode::kCreateNew);
  ASSERT_TRUE(file.ok() && (*file)->WriteAt(0, bytes).ok());
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT(TextsOf(reader->Replay()), ::testing::ElementsAre("hello, journal", ExampleBlock()));
}

}  // namespace
}  // namespace bitactor::test
