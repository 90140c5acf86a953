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

TEST_F(JournalFormatTest, TheDocumentedExampleIsWhatIsWritten) {
  JournalOptions options = Options();
  options.owner_number = 7;
  options.random = [] { return uint64_t{0x0123'4567'89AB'CDEF}; };
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  ASSERT_TRUE(journal->Append(Bytes("hello, journal")).ok());
  ASSERT_TRUE(journal->Close().ok());
  const std::string dump = HexDump(files_->Read(SegmentFile(0)), 256);

  std::ifstream file(BITACTOR_DOCS "/journal_format.md");
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_NE(document.str().find(dump), std::string::npos) << "docs/journal_format.md should have:\n"
                                                          << dump;
}

}  // namespace
}  // namespace bitactor::test
