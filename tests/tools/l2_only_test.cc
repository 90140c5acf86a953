// The example examples/l2_only.cc against sums that a loop makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "support/program.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class L2OnlyTest : public ::testing::Test {
 protected:
  std::string Trades(const std::string& text) {
    const std::string path = dir_.File("trades.csv");
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  test::Outcome Run(const std::string& text) { return test::RunProgram(Trades(text)); }

  test::TempDir dir_;
};

TEST_F(L2OnlyTest, SumsUpWhatTheFileHolds) {
  const test::Outcome outcome = Run("AAPL,189.50,100\nTSLA,242.10,40\nAAPL,189.55,1\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "AAPL: 2 trades, 19139.55\n"
            "TSLA: 1 trades, 9684.00\n"
            "3 lines, 0 of them wrong\n"
            "11 messages delivered, 0 lost\n");
}

TEST_F(L2OnlyTest, WrongLinesAreCountedAndTheFirstIsNamed) {
  const std::string long_line = "AAPL,1.00," + std::string(110, '1');
  const std::string zero_byte("AA\0L,1.00,1", 11);
  const std::string wrong[] = {"",
                               "AAPL",
                               "AAPL,1.00",
                               "AAPL,1.0,1",
                               "AAPL,.50,1",
                               "AAPL,1.000,1",
                               "AAPL,1.00,0",
                               "AAPL,0.00,1",
                               "AAPL,1.00,-1",
                               "aapl,1.00,1",
                               "AAPLAAPLA,1.00,1",
                               "AAPL,1.00,1,",
                               "AAPL,1000000.01,1",
                               "AAPL,1.00,1000000001",
                               ",1.00,1",
                               "AAPL,1x.00,1",
                               "AAPL,-1.00,1",
                               zero_byte,
                               long_line};
  std::string text = "AAPL,1.00,1\n";
  for (const std::string& line : wrong) text += line + "\nAAPL,2.00,2\n";
  const test::Outcome outcome = Run(text);
  EXPECT_EQ(outcome.exit_code, 1);
  const size_t count = std::size(wrong);
  EXPECT_THAT(
      outcome.out,
      AllOf(HasSubstr(absl::StrCat("AAPL: ", count + 1, " trades, ", 4 * count + 1, ".00\n")),
            HasSubstr(absl::StrCat(2 * count + 1, " lines, ", count,
                                   " of them wrong, the first is line 2\n")),
            HasSubstr(" 0 lost\n")));
}

TEST_F(L2OnlyTest, AgreesWithALoopOnMoreThanLanesHold) {
  std::mt19937_64 random(test::Seed());
  std::string text;
  std::map<std::string, std::pair<uint64_t, uint64_t>> expected;  // trades, cents
  for (int i = 0; i < 20'000; ++i) {
    const std::string symbol(1 + random() % 3, static_cast<char>('A' + random() % 3));
    const uint64_t cents = 1 + random() % 100'000;
    const uint64_t shares = 1 + random() % 1'000;
    absl::StrAppend(&text, symbol, ",", absl::StrFormat("%d.%02d", cents / 100, cents % 100), ",",
                    shares, "\n");
    auto& [trades, sum] = expected[symbol];
    ++trades;
    sum += cents * shares;
  }
  std::string sums;
  for (const auto& [symbol, total] : expected) {
    absl::StrAppend(&sums, symbol, ": ", total.first, " trades, ",
                    absl::StrFormat("%d.%02d\n", total.second / 100, total.second % 100));
  }
  const test::Outcome outcome =
      test::RunProgram(absl::StrCat(Trades(text), " ", dir_.File("journal")));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(sums), HasSubstr("20000 lines, 0 of them wrong\n")));
}

TEST_F(L2OnlyTest, WrongUseIsToldApart) {
  EXPECT_EQ(test::RunProgram("").exit_code, 2);
  const test::Outcome outcome = test::RunProgram(dir_.File("nothing"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("cannot read"));
}

}  // namespace
}  // namespace bitactor
