// `bitactor trace context` and `trace verify` as their users meet them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bitactor/tracing_export/sealed_blocks.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::RunProgram;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

const std::string kParent =
    " --header 'TraceParent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'";

json Context(const std::string& arguments) {
  const test::Outcome outcome = RunProgram("trace context --json" + arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out);
}

TEST(TraceContextCommandTest, ShowsWhatIsUnderstoodAndWhatIsSentOn) {
  const json report =
      Context(" --span-id 00f067aa0ba902b7 --header 'TRACESTATE: rojo=a b, congo=2 ' " + kParent +
              " --header tracestate:x@y=3");
  EXPECT_EQ(report["valid"], true);
  EXPECT_EQ(report["reason"], nullptr);
  EXPECT_EQ(report["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(report["parent_id"], "b7ad6b7169203331");
  EXPECT_EQ(report["sampled"], true);
  EXPECT_EQ(report["tracestate"], json::parse(R"([["rojo","a b"],["congo","2"],["x@y","3"]])"));
  EXPECT_EQ(report["out_traceparent"], "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01");
  EXPECT_EQ(report["out_tracestate"], "bitactor=00f067aa0ba902b7,rojo=a b,congo=2,x@y=3");
}

TEST(TraceContextCommandTest, WithoutASpanIdEachCallSendsOnAnotherOne) {
  const json first = Context(kParent);
  const json second = Context(kParent);
  EXPECT_THAT(first["out_traceparent"].get<std::string>(),
              MatchesRegex("00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01"));
  EXPECT_NE(first["out_traceparent"], second["out_traceparent"]);
}

TEST(TraceContextCommandTest, AnInvalidTraceparentIsAnAnswerAndBeginsANewTrace) {
  const json report = Context(kParent + kParent + " --header 'tracestate: foo=1'");
  EXPECT_EQ(report["valid"], false);
  EXPECT_THAT(report["reason"].get<std::string>(), HasSubstr("2 header fields"));
  EXPECT_EQ(report["trace_id"], nullptr);
  EXPECT_EQ(report["tracestate"], json::array());
  const std::string out = report["out_traceparent"];
  EXPECT_THAT(out, MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-03"));
  EXPECT_THAT(out, ::testing::Not(HasSubstr("0af7651916cd43dd8448eb211c80319c")));
  EXPECT_EQ(report["out_tracestate"], "bitactor=" + out.substr(36, 16));
}

TEST(TraceContextCommandTest, AnInvalidTracestateIsDroppedWithItsReason) {
  const json report = Context(kParent + " --header 'tracestate: foo=1,FOO=2'");
  EXPECT_EQ(report["valid"], true);
  EXPECT_EQ(report["tracestate"], json::array());
  EXPECT_THAT(report["tracestate_reason"].get<std::string>(), HasSubstr("member 2"));
}

TEST(TraceContextCommandTest, NoHeadersAtAllAreAnAnswerToo) {
  EXPECT_EQ(Context("")["valid"], false);
  EXPECT_EQ(Context(" --header 'traceparent:'")["valid"], false);
}

TEST(TraceContextCommandTest, BytesThatAreNoTextDoNoHarm) {
  const json report = Context(kParent + " --header \"$(printf 'tracestate: a=\\377')\"");
  EXPECT_THAT(report["tracestate_reason"].get<std::string>(), HasSubstr("0xff"));
}

TEST(TraceContextCommandTest, ForPeopleTheExitCodeSaysWhetherItIsValid) {
  const test::Outcome valid = RunProgram("trace context --span-id 00f067aa0ba902b7" + kParent);
  EXPECT_EQ(valid.exit_code, 0);
  EXPECT_THAT(valid.out, HasSubstr("0af7651916cd43dd8448eb211c80319c"));
  EXPECT_THAT(valid.out, HasSubstr("tracestate: bitactor=00f067aa0ba902b7"));
  const test::Outcome invalid = RunProgram("trace context --header 'traceparent: ff-1'");
  EXPECT_EQ(invalid.exit_code, 1);
  EXPECT_THAT(invalid.out, HasSubstr("invalid"));
}

TEST(TraceContextCommandTest, WrongUseIsExitCodeTwo) {
  for (const char* arguments :
       {" --header traceparent", " --header ': x'", " --header ''", " --span-id 12",
        " --span-id 0000000000000000", " --span-id 00F067AA0BA902B7", " --span-id -0f067aa0ba902b7",
        " --header", " traceparent"}) {
    const test::Outcome outcome = RunProgram(std::string("trace context") + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << "\n" << outcome.out;
    EXPECT_NE(outcome.err, "") << arguments;
  }
  const test::Outcome help = RunProgram("trace context --help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("Example"));
}

class TraceVerifyCommandTest : public ::testing::Test {
 protected:
  // Block 0 names, block 1 three spans, block 2 the end.
  std::string Sealed() {
    SpanFile spans;
    spans.spans.resize(3);
    spans.dropped = 5;
    const absl::StatusOr<BlockSeal> seal = SaveSealedSpans(dir_.File("a.sealed"), spans);
    EXPECT_TRUE(seal.ok()) << seal.status();
    seal_ = seal->ToHex();
    return dir_.File("a.sealed");
  }
  static void Change(const std::string& path, std::streamoff from_end) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-from_end, std::ios::end);
    file.put('\x5a');
  }

  test::TempDir dir_;
  std::string seal_;
};

TEST_F(TraceVerifyCommandTest, AWholeFileShowsItsLastSeal) {
  const std::string path = Sealed();
  const test::Outcome people = RunProgram("trace verify " + path);
  EXPECT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("3 blocks with 3 spans"));
  EXPECT_THAT(people.out, HasSubstr("last seal " + seal_));
  const test::Outcome machine = RunProgram("trace verify --json " + path);
  EXPECT_EQ(machine.exit_code, 0);
  const json report = json::parse(machine.out);
  EXPECT_EQ(report["whole"], true);
  EXPECT_EQ(report["fault"], nullptr);
  EXPECT_EQ(report["blocks"], 3);
  EXPECT_EQ(report["dropped"], 5);
  EXPECT_EQ(report["last_seal"], seal_);
}

TEST_F(TraceVerifyCommandTest, AChangedBlockIsNamed) {
  const std::string path = Sealed();
  Change(path, 96 + 32 + 10);  // in the last span
  const test::Outcome people = RunProgram("trace verify " + path);
  EXPECT_EQ(people.exit_code, 1);
  EXPECT_THAT(people.out, HasSubstr("block 1, at byte "));
  EXPECT_THAT(people.out, HasSubstr("changed"));
  const json fault = json::parse(RunProgram("trace verify --json " + path).out)["fault"];
  EXPECT_EQ(fault["kind"], "changed");
  EXPECT_EQ(fault["block"], 1);
  // Nothing is exported from it.
  const test::Outcome exported = RunProgram("trace export " + path);
  EXPECT_EQ(exported.exit_code, 1);
  EXPECT_THAT(exported.err, HasSubstr("block 1 at byte "));
}

TEST_F(TraceVerifyCommandTest, ASealedFileIsExportedAndSealedAgain) {
  const std::string path = Sealed();
  const test::Outcome chrome = RunProgram("trace export " + path);
  ASSERT_EQ(chrome.exit_code, 0) << chrome.err;
  EXPECT_TRUE(json::parse(chrome.out).contains("traceEvents"));
  const std::string again = dir_.File("again.sealed");
  const test::Outcome sealed = RunProgram("trace export --format sealed " + path + " -o " + again);
  ASSERT_EQ(sealed.exit_code, 0) << sealed.err;
  EXPECT_EQ(sealed.out, "last seal " + seal_ + "\n");
  EXPECT_EQ(RunProgram("trace verify " + again).exit_code, 0);
  // It may be evidence: it is not written over.
  const test::Outcome over = RunProgram("trace export --format sealed " + path + " -o " + again);
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_THAT(over.err, HasSubstr(again));
}

TEST_F(TraceVerifyCommandTest, WrongUseIsExitCodeTwo) {
  const std::string other = dir_.File("other");
  std::ofstream(other) << std::string(100, 'x');
  for (const std::string& arguments :
       {std::string(), dir_.File("none"), dir_.path(), other, other + " more"}) {
    const test::Outcome outcome = RunProgram("trace verify " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << "\n" << outcome.err;
    EXPECT_NE(outcome.err, "") << arguments;
  }
  EXPECT_EQ(RunProgram("trace export --format sealed " + Sealed()).exit_code, 2);
}

}  // namespace
}  // namespace bitactor
