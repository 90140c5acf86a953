// What is understood of headers: every rule of the specification by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/tracing/trace_context.h"
#include "support/seed.h"
#include "tracing/trace_headers.h"

namespace bitactor {
namespace {

using test::kParent;
using test::kTrace;
using test::kValid;
using test::Members;
using test::Parse;
using test::ParseTracestate;
using ::testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs PairsOf(const TraceContext& context) {
  Pairs pairs;
  for (const TracestateMember& member : context.tracestate) {
    pairs.push_back({member.key, member.value});
  }
  return pairs;
}

TEST(TraceContextRulesTest, ReadsIdsAndFlags) {
  const ParsedTraceContext parsed = Parse({{"traceparent", kValid}});
  ASSERT_TRUE(parsed.valid) << parsed.reason;
  EXPECT_EQ(parsed.reason, "");
  EXPECT_EQ(parsed.context.trace_id, (TraceId{0x1234567890123456, 0x7890123456789012}));
  EXPECT_EQ(parsed.context.trace_id.ToHex(), kTrace);
  EXPECT_EQ(parsed.context.parent_id, 0x1234567890123456u);
  EXPECT_EQ(SpanIdToHex(parsed.context.parent_id), kParent);
  EXPECT_TRUE(parsed.context.sampled);
  EXPECT_FALSE(parsed.context.random_trace_id);
  EXPECT_TRUE(parsed.context.tracestate.empty());
}

struct TraceparentCase {
  std::string rule;
  std::string value;
  std::string reason;  // part of it; "": valid
};

TEST(TraceContextRulesTest, EveryRuleOfTraceparent) {
  const std::string rest = "-" + kTrace + "-" + kParent;
  const std::vector<TraceparentCase> cases = {
      {"upper case in the trace id", "00-ABCDEF" + kTrace.substr(6) + "-" + kParent + "-01",
       "character 4 is 'A' (0x41)"},
      {"upper case in the parent id", "00-" + kTrace + "-A" + kParent.substr(1) + "-01",
       "character 37 is 'A'"},
      {"upper case in the version", "CC" + rest + "-01", "character 1 is 'C'"},
      {"upper case in the flags", "00" + rest + "-0A", "character 55 is 'A'"},
      {"empty", "", "ends after 0 characters"},
      {"nothing but space", " \t", "ends after 0 characters"},
      {"version alone", "00", "ends after 2 characters"},
      {"version ff", "ff" + rest + "-01", "version ff"},
      {"version 00 with a dot behind", kValid + ".", "has 56 characters"},
      {"version 00 with more fields", kValid + "-what-the-future-will-be-like",
       "version 00 has exactly 55"},
      {"version 00 with a dash behind", kValid + "-", "has 56 characters"},
      {"higher version", "cc" + rest + "-01", ""},
      {"higher version with a dash behind", "cc" + rest + "-01-", ""},
      {"higher version with more fields", "cc" + rest + "-01-what-the-future-will-be-like", ""},
      {"higher version with a dot behind", "cc" + rest + "-01.what-the-future-will-be-like",
       "character 56 is '.' (0x2e), it must be '-'"},
      {"higher version with longer flags", "01" + rest + "-011", "character 56 is '1'"},
      {"higher version cut short", "cc" + rest + "-0", "ends after 54 characters"},
      {"version 01", "01" + rest + "-00", ""},
      {"version fe", "fe" + rest + "-00", ""},
      {"bad character in the version", ".0" + rest + "-01", "character 1 is '.'"},
      {"bad second character in the version", "0." + rest + "-01", "character 2 is '.'"},
      {"version of three digits", "000" + rest + "-01", "character 3 is '0'"},
      {"version of four digits", "0000" + rest + "-01", "character 3 is '0'"},
      {"version of one digit", "0" + rest + "-01", "character 2 is '-'"},
      {"trace id of zeros", "00-" + std::string(32, '0') + "-" + kParent + "-01",
       "a trace id of zeros"},
      {"trace id of zeros in a higher version",
       "cc-" + std::string(32, '0') + "-" + kParent + "-01", "a trace id of zeros"},
      {"trace id with zeros in its upper half",
       "00-" + std::string(31, '0') + "1-" + kParent + "-01", ""},
      {"trace id with zeros in its lower half",
       "00-1" + std::string(31, '0') + "-" + kParent + "-01", ""},
      {"bad character in the trace id", "00-." + kTrace.substr(1) + "-" + kParent + "-01",
       "character 4 is '.'"},
      {"bad last character in the trace id", "00-" + kTrace.substr(1) + ".-" + kParent + "-01",
       "character 35 is '.'"},
      {"trace id too long", "00-" + kTrace + "3-" + kParent + "-01", "character 36 is '3'"},
      {"trace id too short", "00-" + kTrace.substr(1) + "-" + kParent + "-01",
       "character 35 is '-'"},
      {"parent id of zeros", "00-" + kTrace + "-" + std::string(16, '0') + "-01",
       "a parent id of zeros"},
      {"bad character in the parent id", "00-" + kTrace + "-." + kParent.substr(1) + "-01",
       "character 37 is '.'"},
      {"parent id too long", "00" + rest + "7-01", "character 53 is '7'"},
      {"parent id too short", "00-" + kTrace + "-" + kParent.substr(1) + "-01",
       "character 52 is '-'"},
      {"bad character in the flags", "00" + rest + "-.0", "character 54 is '.'"},
      {"bad second character in the flags", "00" + rest + "-0.", "character 55 is '.'"},
      {"flags too long", "00" + rest + "-001", "has 56 characters"},
      {"flags too short", "00" + rest + "-1", "ends after 54 characters"},
      {"all flags", "00" + rest + "-ff", ""},
      {"a space within", "00-" + kTrace + " " + kParent + "-01", "character 36 is 0x20"},
      {"underscores", "00_" + kTrace + "_" + kParent + "_01", "character 3 is '_'"},
      {"two in one field", kValid + "," + kValid, "has 111 characters"},
      {"a byte over 0x7f", "00-\xC3" + kTrace.substr(1) + "-" + kParent + "-01",
       "character 4 is 0xc3"},
      {"a zero byte", std::string("00-\0", 4) + kTrace.substr(1) + "-" + kParent + "-01",
       "character 4 is 0x00"},
      {"a line's end behind", kValid + "\n", "has 56 characters"},
      {"a space before", " " + kValid, ""},
      {"a tab before", "\t" + kValid, ""},
      {"a space behind", kValid + " ", ""},
      {"a tab behind", kValid + "\t", ""},
      {"space and tabs around", "\t " + kValid + " \t", ""},
  };
  for (const TraceparentCase& test : cases) {
    const ParsedTraceContext parsed = Parse({{"traceparent", test.value}, {"tracestate", "a=1"}});
    EXPECT_EQ(parsed.valid, test.reason.empty()) << test.rule;
    EXPECT_EQ(parsed.reason.empty(), test.reason.empty()) << test.rule;
    EXPECT_THAT(parsed.reason, HasSubstr(test.reason)) << test.rule;
    // A bad traceparent leaves nothing to go on with, tracestate included.
    if (!parsed.valid) {
      EXPECT_EQ(parsed.context, TraceContext()) << test.rule;
      EXPECT_EQ(parsed.tracestate_reason, "") << test.rule;
    } else {
      EXPECT_EQ(parsed.context.tracestate.size(), 1u) << test.rule;
    }
  }
}

TEST(TraceContextRulesTest, ExactlyOneTraceparentIsNeeded) {
  EXPECT_EQ(Parse({}).reason, "traceparent: 0 header fields; exactly one is needed");
  EXPECT_EQ(Parse({{"tracestate", "foo=1"}}).context, TraceContext());
  EXPECT_FALSE(Parse({{"traceparent", kValid}, {"traceparent", kValid}}).valid);
  EXPECT_FALSE(Parse({{"traceparent", kValid}, {"Traceparent", ""}}).valid);
}

TEST(TraceContextRulesTest, NamesAreInAnyCaseButExact) {
  for (const char* name : {"traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"}) {
    EXPECT_TRUE(Parse({{name, kValid}}).valid) << name;
  }
  for (const char* name : {"trace-parent", "trace.parent", "traceparent ", "traceparen", ""}) {
    EXPECT_FALSE(Parse({{name, kValid}}).valid) << name;
  }
  for (const char* name : {"tracestate", "TraceState", "TRACESTATE"}) {
    EXPECT_EQ(PairsOf(Parse({{"traceparent", kValid}, {name, "foo=1"}}).context),
              (Pairs{{"foo", "1"}}));
  }
  for (const char* name : {"trace-state", "trace.state"}) {
    EXPECT_TRUE(Parse({{"traceparent", kValid}, {name, "foo=1"}}).context.tracestate.empty());
  }
}

struct TracestateCase {
  std::string rule;
  std::vector<std::string> values;
  Pairs pairs;
  std::string reason = "";  // part of it; "": nothing was dropped
};

TEST(TraceContextRulesTest, EveryRuleOfTracestate) {
  std::string key_characters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  std::string value_characters;
  for (char c = 0x20; c <= 0x7E; ++c) {
    if (c != ',' && c != '=') value_characters += c;
  }
  const auto z = [](size_t count) { return std::string(count, 'z'); };
  Pairs thirty_two;
  for (int i = 1; i <= 32; ++i) {
    thirty_two.push_back({"bar" + std::to_string(i), std::to_string(i)});
  }
  const std::vector<TracestateCase> cases = {
      {"one", {"foo=1"}, {{"foo", "1"}}},
      {"two in order", {"foo=1,bar=2"}, {{"foo", "1"}, {"bar", "2"}}},
      {"several fields in order",
       {"foo=1,bar=2", "rojo=1,congo=2", "baz=3"},
       {{"foo", "1"}, {"bar", "2"}, {"rojo", "1"}, {"congo", "2"}, {"baz", "3"}}},
      {"no field", {}, {}},
      {"an empty field", {""}, {}},
      {"an empty field behind", {"foo=1", ""}, {{"foo", "1"}}},
      {"an empty field before", {"", "foo=1"}, {{"foo", "1"}}},
      {"empty members", {",foo=1,, \t ,bar=2,"}, {{"foo", "1"}, {"bar", "2"}}},
      {"spaces and tabs around members",
       {"foo=1 \t , \t bar=2, \t baz=3"},
       {{"foo", "1"}, {"bar", "2"}, {"baz", "3"}}},
      {"spaces and tabs around the field", {"\t foo=1 \t"}, {{"foo", "1"}}},
      {"spaces before a value belong to it", {"foo= 1"}, {{"foo", " 1"}}},
      {"spaces within a value belong to it", {"foo=1  2"}, {{"foo", "1  2"}}},
      {"spaces behind a value do not", {"foo=1  ,bar=2 "}, {{"foo", "1"}, {"bar", "2"}}},
      {"a space before '='", {"foo =1"}, {}, "character 4 of the key is 0x20"},
      {"a tab in a value", {"foo=1\t2"}, {}, "character 2 of the value is 0x09"},
      {"all characters",
       {key_characters + "=" + value_characters},
       {{key_characters, value_characters}}},
      {"key tenant@vendor", {"fw529a3039@dt=1"}, {{"fw529a3039@dt", "1"}}},
      {"key tenant@vendor with all characters",
       {key_characters + "@a-z0-9_-*/=1"},
       {{key_characters + "@a-z0-9_-*/", "1"}}},
      {"key with several @", {"a@@b@=1"}, {{"a@@b@", "1"}}},
      {"key begins with a digit", {"0foo=1"}, {{"0foo", "1"}}},
      {"key begins with @", {"@foo=1,bar=2"}, {}, "the key begins with '@'"},
      {"key begins with _", {"_foo=1"}, {}, "the key begins with '_'"},
      {"key begins with -", {"-foo=1"}, {}, "the key begins with '-'"},
      {"key begins with *", {"*foo=1"}, {}, "the key begins with '*'"},
      {"key begins with /", {"/foo=1"}, {}, "the key begins with '/'"},
      {"upper case in a key", {"FOO=1"}, {}, "character 1 of the key is 'F'"},
      {"a dot in a key", {"foo.bar=1"}, {}, "character 4 of the key is '.'"},
      {"no key", {"=1"}, {}, "a key of 0 characters"},
      {"no '='", {"foo"}, {}, "has no '='"},
      {"key of 256", {"foo=1", z(256) + "=1"}, {{"foo", "1"}, {z(256), "1"}}},
      {"key of 257", {"foo=1", z(257) + "=1"}, {}, "a key of 257 characters"},
      {"value of 256", {"foo=" + z(256)}, {{"foo", z(256)}}},
      {"value of 257", {"bar=1,foo=" + z(257)}, {}, "a value of 257 characters"},
      {"no value", {"foo=,bar=3"}, {}, "a value of 0 characters"},
      {"nothing but spaces as the value", {"foo=  ,bar=3"}, {}, "a value of 0 characters"},
      {"'=' in a value", {"foo=bar=baz"}, {}, "character 4 of the value is '='"},
      {"a byte over 0x7f in a value", {"foo=\xC3\xA9"}, {}, "character 1 of the value is 0xc3"},
      {"a zero byte in a value", {std::string("foo=\0", 5)}, {}, "is 0x00"},
      {"0x7f in a value", {"foo=\x7F"}, {}, "is 0x7f"},
      {"the same member twice", {"foo=1,foo=1"}, {}, "member 2: its key was there before"},
      {"a key twice", {"foo=1,bar=3,foo=2"}, {}, "member 3: its key"},
      {"a key twice in two fields", {"foo=1", "foo=2"}, {}, "its key was there before"},
      {"32 members", {Members(32)}, thirty_two},
      {"32 members and empty ones", {",,", Members(32), ", ,"}, thirty_two},
      {"33 members", {Members(33)}, {}, "member 33: is one too many; allowed are at most 32"},
      {"33 members in two fields", {Members(32), "foo=1"}, {}, "member 33"},
      {"one bad member drops all", {"foo=1,BAR=2,baz=3"}, {}, "member 2: character 1 of the key"},
  };
  for (const TracestateCase& test : cases) {
    const ParsedTraceContext parsed = ParseTracestate(test.values);
    // Whatever the tracestate is like, the traceparent stays.
    EXPECT_TRUE(parsed.valid) << test.rule;
    EXPECT_EQ(parsed.context.trace_id.ToHex(), kTrace) << test.rule;
    EXPECT_EQ(PairsOf(parsed.context), test.pairs) << test.rule;
    EXPECT_EQ(parsed.tracestate_reason.empty(), test.reason.empty()) << parsed.tracestate_reason;
    EXPECT_THAT(parsed.tracestate_reason, HasSubstr(test.reason)) << test.rule;
  }
}

TEST(TraceContextRulesTest, TracestateOfAHigherVersionIsReadByTheSameRules) {
  const ParsedTraceContext parsed =
      Parse({{"traceparent", "cc" + kValid.substr(2) + "-more"}, {"tracestate", "foo=1"}});
  EXPECT_EQ(PairsOf(parsed.context), (Pairs{{"foo", "1"}}));
}

// The grammar once more, as a picture: h is a digit.
bool OracleTraceparent(const std::string& text) {
  const std::string form = "hh-" + std::string(32, 'h') + "-" + std::string(16, 'h') + "-hh";
  if (text.size() < form.size()) return false;
  for (size_t i = 0; i < form.size(); ++i) {
    const std::string allowed = form[i] == 'h' ? "0123456789abcdef" : "-";
    if (allowed.find(text[i]) == std::string::npos) return false;
  }
  const std::string more = text.substr(form.size());
  const std::string version = text.substr(0, 2);
  if (version == "ff" || (version == "00" && !more.empty())) return false;
  if (!more.empty() && more[0] != '-') return false;
  return text.substr(3, 32) != std::string(32, '0') && text.substr(36, 16) != std::string(16, '0');
}

TEST(TraceContextRulesTest, AgreesWithTheGrammarOnChangedHeaders) {
  std::mt19937_64 random(test::Seed());
  const std::string characters = "0123456789abcdef-fFgG. =,@z";
  int valid = 0;
  for (int round = 0; round < test::Rounds(20'000); ++round) {
    std::string text = kValid;
    if (random() % 3 == 0) text[0] = "0cf"[random() % 3];
    if (random() % 3 == 0) text += "-x";
    for (uint64_t changes = random() % 3; changes > 0; --changes) {
      const char c = characters[random() % characters.size()];
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1);
      }
    }
    // Space at the ends is not the grammar's.
    const size_t begin = text.find_first_not_of(' ');
    const std::string trimmed = text.substr(begin, text.find_last_not_of(' ') - begin + 1);
    const bool expected = OracleTraceparent(trimmed);
    ASSERT_EQ(Parse({{"traceparent", text}}).valid, expected) << text;
    valid += expected;
  }
  EXPECT_GT(valid, 1'000);
}

}  // namespace
}  // namespace bitactor
