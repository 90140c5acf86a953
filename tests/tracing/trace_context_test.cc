// What is sent on.
#include "bitactor/tracing/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/seed.h"
#include "tracing/trace_headers.h"

namespace bitactor {
namespace {

using test::kTrace;
using test::kValid;
using test::Members;
using test::Parse;
using test::ParseTracestate;

TraceContext Context(std::vector<TracestateMember> tracestate = {}) {
  TraceContext context = ParseTracestate({}).context;
  context.tracestate = std::move(tracestate);
  return context;
}

TEST(TraceContextTest, KnownFlagsAreSentOnAndUnknownOnesAreNot) {
  const std::vector<std::pair<std::string, std::string>> flags = {
      {"00", "00"}, {"01", "01"}, {"02", "02"}, {"03", "03"}, {"fc", "00"}, {"ff", "03"}};
  for (const auto& [in, out] : flags) {
    const TraceContext context = Parse({{"traceparent", kValid.substr(0, 53) + in}}).context;
    EXPECT_EQ(EmitTraceContext(context, 7).traceparent, "00-" + kTrace + "-0000000000000007-" + out)
        << in;
  }
}

TEST(TraceContextTest, AHigherVersionIsSentOnAsVersionZero) {
  const TraceContext context = Parse({{"traceparent", "cc" + kValid.substr(2) + "-what"}}).context;
  EXPECT_EQ(EmitTraceContext(context, 0xb7ad6b7169203331).traceparent,
            "00-" + kTrace + "-b7ad6b7169203331-01");
}

TEST(TraceContextTest, OurMemberIsLeftAndTheOthersKeepTheirOrder) {
  const TraceContext context =
      Context({{"rojo", "00f067aa0ba902b7"}, {"bitactor", "0000000000000001"}, {"congo", " t61"}});
  const EmittedTraceContext out = EmitTraceContext(context, 0x2a);
  EXPECT_EQ(out.tracestate, "bitactor=000000000000002a,rojo=00f067aa0ba902b7,congo= t61");
  EXPECT_EQ(out.cut_members, 0u);
}

TEST(TraceContextTest, ANewTraceSendsOurMemberAlone) {
  TraceContext context;
  context.trace_id = {0, 1};
  context.sampled = context.random_trace_id = true;
  const EmittedTraceContext out = EmitTraceContext(context, 2);
  EXPECT_EQ(out.traceparent, "00-00000000000000000000000000000001-0000000000000002-03");
  EXPECT_EQ(out.tracestate, "bitactor=0000000000000002");
}

TEST(TraceContextTest, AFullListLosesItsLastMemberToOurs) {
  const EmittedTraceContext out = EmitTraceContext(ParseTracestate({Members(32)}).context, 1);
  EXPECT_EQ(out.tracestate, "bitactor=0000000000000001," + Members(31));
  EXPECT_EQ(out.cut_members, 1u);
}

TEST(TraceContextTest, AFullListWithOurMemberLosesNothing) {
  const EmittedTraceContext out =
      EmitTraceContext(ParseTracestate({Members(31), "bitactor=1"}).context, 1);
  EXPECT_EQ(out.tracestate, "bitactor=0000000000000001," + Members(31));
  EXPECT_EQ(out.cut_members, 0u);
}

// Ours has 25 characters; "k=" and 98 more have 100, with their comma 101.
TEST(TraceContextTest, FiveHundredAndTwelveCharactersAreCarried) {
  const auto value = [](size_t count) { return std::string(count, 'v'); };
  const std::vector<TracestateMember> members = {
      {"a", value(98)}, {"b", value(98)}, {"c", value(98)}, {"d", value(98)}, {"e", value(80)}};
  const EmittedTraceContext fits = EmitTraceContext(Context(members), 1);
  EXPECT_EQ(fits.tracestate.size(), 512u);
  EXPECT_EQ(fits.cut_members, 0u);

  std::vector<TracestateMember> one_more = members;
  one_more[0].value += 'v';
  const EmittedTraceContext cut = EmitTraceContext(Context(one_more), 1);
  EXPECT_EQ(cut.cut_members, 1u);
  EXPECT_EQ(cut.tracestate, "bitactor=0000000000000001,a=" + value(99) + ",b=" + value(98) +
                                ",c=" + value(98) + ",d=" + value(98));
}

TEST(TraceContextTest, LongMembersAreCutFirstAndTheLastOfThemFirst) {
  const auto value = [](size_t count) { return std::string(count, 'v'); };
  const TraceContext context = Context({{"a", value(127)},  // 129 characters: long
                                        {"b", value(126)},  // 128: not long
                                        {"c", value(127)},  // long
                                        {"d", value(126)},  // not long
                                        {"e", value(10)}});
  const EmittedTraceContext out = EmitTraceContext(context, 1);
  EXPECT_EQ(out.tracestate, "bitactor=0000000000000001,a=" + value(127) + ",b=" + value(126) +
                                ",d=" + value(126) + ",e=" + value(10));
  EXPECT_EQ(out.cut_members, 1u);
}

TracestateMember RandomMember(std::mt19937_64& random, int number) {
  const std::string first = "abcdefghijklmnopqrstuvwxyz0123456789";
  const std::string more = first + "_-*/@";
  TracestateMember member;
  member.key = std::string(1, first[random() % first.size()]) + std::to_string(number);
  for (uint64_t i = random() % 8; i > 0; --i) member.key += more[random() % more.size()];
  for (uint64_t i = random() % (random() % 8 == 0 ? 255 : 12); i > 0; --i) {
    const char c = static_cast<char>(0x20 + random() % 0x5F);
    member.value += c == ',' || c == '=' ? ';' : c;
  }
  member.value += '!';
  return member;
}

// What is emitted is read back as the same context, but for our member and what was cut.
TEST(TraceContextTest, WhatIsSentOnIsUnderstoodAgain) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(5'000); ++round) {
    TraceContext context;
    context.trace_id = {random() % 3 == 0 ? 0 : random(), random() | 1};
    context.sampled = random() % 2 == 0;
    context.random_trace_id = random() % 2 == 0;
    for (uint64_t i = random() % 33; i > 0; --i) {
      // The number in front keeps the keys apart.
      context.tracestate.push_back(RandomMember(random, static_cast<int>(i)));
      context.tracestate.back().key = "k" + std::to_string(i) + "_" + context.tracestate.back().key;
    }
    if (context.tracestate.size() > 4 && random() % 2 == 0) context.tracestate[3].key = "bitactor";
    const uint64_t span_id = random() | 1;
    const EmittedTraceContext out = EmitTraceContext(context, span_id);

    ASSERT_LE(out.tracestate.size(), kMaxTracestateChars);
    const ParsedTraceContext parsed =
        Parse({{"Traceparent", " " + out.traceparent}, {"TraceState", out.tracestate + "\t"}});
    ASSERT_TRUE(parsed.valid) << parsed.reason;
    ASSERT_EQ(parsed.tracestate_reason, "");
    ASSERT_EQ(parsed.context.trace_id, context.trace_id);
    ASSERT_EQ(parsed.context.parent_id, span_id);
    ASSERT_EQ(parsed.context.sampled, context.sampled);
    ASSERT_EQ(parsed.context.random_trace_id, context.random_trace_id);

    // The rest, less what was cut, in the same order.
    std::vector<TracestateMember> others;
    for (const TracestateMember& member : context.tracestate) {
      if (member.key != kOwnTracestateKey) others.push_back(member);
    }
    ASSERT_EQ(parsed.context.tracestate.size() - 1 + out.cut_members, others.size());
    ASSERT_EQ(parsed.context.tracestate[0], (TracestateMember{"bitactor", SpanIdToHex(span_id)}));
    auto place = others.begin();
    for (size_t i = 1; i < parsed.context.tracestate.size(); ++i) {
      place = std::find(place, others.end(), parsed.context.tracestate[i]);
      ASSERT_NE(place, others.end());
      ++place;
    }
  }
}

TEST(TraceContextDeathTest, AnIdOfZerosIsNotSent) {
  EXPECT_DEATH(EmitTraceContext(TraceContext(), 1), "trace_id");
  EXPECT_DEATH(EmitTraceContext(Context(), 0), "span_id");
}

}  // namespace
}  // namespace bitactor
