#include "bitactor/tracing/chrome_export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/seed.h"
#include "tracing/span_generator.h"

namespace bitactor {
namespace {

using Json = nlohmann::json;
using test::kBeginNs;

constexpr uint32_t kPort = 0x80000001;

SpanRecord MakeSpan(uint64_t span, uint64_t parent, uint64_t sent_ns, uint64_t start_ns,
                    uint32_t duration_ns, uint16_t shard = 0) {
  SpanRecord record;
  record.trace = 0xABC;
  record.span = span;
  record.parent_span = parent;
  record.sent_ns = kBeginNs + sent_ns;
  record.start_ns = kBeginNs + start_ns;
  record.duration_ns = duration_ns;
  record.source = parent == 0 ? kPort : 7;
  record.target = 7;
  record.type = 0xBEEF;
  record.shard = shard;
  record.kind = static_cast<uint8_t>(FrameKind::kCast);
  return record;
}

std::string Write(const std::vector<SpanRecord>& spans, const SpanNames& names = {}) {
  std::ostringstream out;
  EXPECT_TRUE(WriteChromeTrace(spans, names, out).ok());
  return out.str();
}

// The trace, or a JSON parse error as a test failure by exception.
Json Events(const std::vector<SpanRecord>& spans, const SpanNames& names = {}) {
  return Json::parse(Write(spans, names)).at("traceEvents");
}

std::vector<Json> OfPhase(const Json& events, const std::string& phase) {
  std::vector<Json> found;
  for (const Json& event : events) {
    if (event.at("ph") == phase) found.push_back(event);
  }
  return found;
}

int64_t Nanos(const Json& micros) { return std::llround(micros.get<double>() * 1000); }
int64_t Begin(const Json& slice) { return Nanos(slice.at("ts")); }
int64_t End(const Json& slice) { return Begin(slice) + Nanos(slice.at("dur")); }
using TrackKey = std::pair<int, int>;
TrackKey TrackOf(const Json& event) {
  return {event.at("pid").get<int>(), event.at("tid").get<int>()};
}

// The slice of a track that encloses a time.
const Json* Enclosing(const std::vector<Json>& slices, const Json& event) {
  for (const Json& slice : slices) {
    if (TrackOf(slice) == TrackOf(event) && Begin(slice) <= Begin(event) &&
        Begin(event) < End(slice)) {
      return &slice;
    }
  }
  return nullptr;
}

TEST(ChromeExportTest, NoSpansGiveAValidEmptyTrace) {
  const Json trace = Json::parse(Write({}));
  EXPECT_TRUE(trace.at("traceEvents").empty());
  EXPECT_EQ(trace.at("displayTimeUnit"), "ns");
}

TEST(ChromeExportTest, ADispatchIsASliceWithItsTimes) {
  const Json events = Events({MakeSpan(5, 1, 0, 1'234, 567), MakeSpan(6, 1, 0, 2'000'000, 1)});
  const std::vector<Json> slices = OfPhase(events, "X");
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(Begin(slices[0]), 0) << "times are relative to the first";
  EXPECT_EQ(Nanos(slices[0].at("dur")), 567);
  EXPECT_EQ(Begin(slices[1]), 2'000'000 - 1'234);
}

TEST(ChromeExportTest, TheBeginIsKeptToTheNanosecond) {
  const Json trace = Json::parse(Write({MakeSpan(5, 1, 0, 1'234, 567)}));
  EXPECT_EQ(trace.at("otherData").at("begin_unix_ns"), std::to_string(kBeginNs + 1'234));
}

TEST(ChromeExportTest, ArgumentsSayWhatTheMessageWas) {
  SpanRecord span = MakeSpan(0x1F, 0x2E, 100, 350, 20);
  span.outcome = SpanOutcome::kOverrun;
  const Json args = OfPhase(Events({span}), "X").at(0).at("args");
  EXPECT_EQ(args.at("trace"), "0000000000000abc");
  EXPECT_EQ(args.at("span"), "000000000000001f");
  EXPECT_EQ(args.at("parent"), "000000000000002e");
  EXPECT_EQ(args.at("queue_wait_ns"), 250);
  EXPECT_EQ(args.at("outcome"), "overrun");
  EXPECT_EQ(args.at("source"), "actor 7");
  EXPECT_EQ(args.at("type"), "type 0x0000beef");
}

TEST(ChromeExportTest, AStampAheadOfTheClockWaitedForNothing) {
  const Json events = Events({MakeSpan(5, 1, 400, 350, 20)});
  EXPECT_EQ(OfPhase(events, "X").at(0).at("args").at("queue_wait_ns"), 0);
}

TEST(ChromeExportTest, NamesAreUsedWhereTheyAreKnown) {
  SpanNames names;
  names.actor = [](uint32_t id) { return id == 7 ? "alice" : ""; };
  names.type = [](uint32_t) { return "Deposit"; };
  names.shard = [](uint16_t shard) { return "core " + std::to_string(shard); };
  const Json events = Events({MakeSpan(5, 0, 0, 300, 10, 3)}, names);
  EXPECT_EQ(OfPhase(events, "X").at(0).at("name"), "alice: Deposit");
  EXPECT_EQ(OfPhase(events, "X").at(0).at("cat"), "cast");
  std::map<std::string, int> threads;
  for (const Json& event : OfPhase(events, "M")) {
    if (event.at("name") == "thread_name") ++threads[event.at("args").at("name")];
  }
  EXPECT_EQ(threads, (std::map<std::string, int>{{"core 3", 1}, {"actor 2147483649", 1}}));
}

TEST(ChromeExportTest, EveryShardAndEverySenderOfRootsHasANamedTrack) {
  const Json events = Events({MakeSpan(5, 0, 0, 300, 10, 0), MakeSpan(6, 0, 1, 300, 10, 1),
                              MakeSpan(7, 5, 1, 400, 10, 1)});
  std::map<TrackKey, std::string> names;
  std::map<int, std::string> processes;
  for (const Json& event : OfPhase(events, "M")) {
    const std::string what = event.at("name");
    if (what == "thread_name") names[TrackOf(event)] = event.at("args").at("name");
    if (what == "process_name") processes[event.at("pid")] = event.at("args").at("name");
  }
  EXPECT_EQ(names.size(), 3u);
  EXPECT_EQ(processes, (std::map<int, std::string>{{1, "bitactor"}, {2, "outside"}}));
  for (const Json& slice : OfPhase(events, "X")) EXPECT_TRUE(names.contains(TrackOf(slice)));
}

TEST(ChromeExportTest, AnArrowLeadsFromTheSendersSliceToTheReceivers) {
  const Json events = Events({MakeSpan(5, 1, 0, 100, 50, 0), MakeSpan(6, 5, 120, 200, 10, 1)});
  const std::vector<Json> starts = OfPhase(events, "s");
  const std::vector<Json> ends = OfPhase(events, "f");
  ASSERT_EQ(starts.size(), 1u);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(starts[0].at("id"), "0x6");
  EXPECT_EQ(ends[0].at("id"), "0x6");
  EXPECT_EQ(ends[0].at("bp"), "e");
  const std::vector<Json> slices = OfPhase(events, "X");
  EXPECT_EQ(Enclosing(slices, starts[0])->at("args").at("span"), "0000000000000005");
  EXPECT_EQ(Enclosing(slices, ends[0])->at("args").at("span"), "0000000000000006");
  EXPECT_EQ(Begin(starts[0]), 20) << "when it was sent";
}

TEST(ChromeExportTest, ASendStampedBehindItsSlicesEndIsDrawnInside) {
  const Json events = Events({MakeSpan(5, 1, 0, 100, 50, 0), MakeSpan(6, 5, 170, 200, 10, 1)});
  EXPECT_EQ(Begin(OfPhase(events, "s").at(0)), 49);
}

TEST(ChromeExportTest, AMessageFromOutsideStartsInASliceOfItsSender) {
  const Json events = Events({MakeSpan(5, 0, 40, 100, 50)});
  const std::vector<Json> slices = OfPhase(events, "X");
  ASSERT_EQ(slices.size(), 2u);
  const Json* send = Enclosing(slices, OfPhase(events, "s").at(0));
  ASSERT_NE(send, nullptr);
  EXPECT_EQ(send->at("name"), "send");
  EXPECT_EQ(send->at("pid"), 2);
}

TEST(ChromeExportTest, ALostParentHasNoArrow) {
  const Json events = Events({MakeSpan(6, 5, 120, 200, 10)});
  EXPECT_TRUE(OfPhase(events, "s").empty());
  EXPECT_TRUE(OfPhase(events, "f").empty());
}

TEST(ChromeExportTest, AMessageThatSaysItIsItsOwnParentHasNoArrow) {
  EXPECT_TRUE(OfPhase(Events({MakeSpan(5, 5, 120, 200, 10)}), "f").empty());
}

TEST(ChromeExportTest, AnArrowNeverPointsBackInTime) {
  // The sender's slice begins after the receiver's ended: clocks of two machines, say.
  const Json events = Events({MakeSpan(5, 1, 0, 900, 50, 0), MakeSpan(6, 5, 120, 200, 10, 1)});
  EXPECT_TRUE(OfPhase(events, "f").empty());
}

TEST(ChromeExportTest, SlicesThatOverlapAreCutWhereTheNextBegins) {
  const std::vector<Json> slices =
      OfPhase(Events({MakeSpan(5, 1, 0, 100, 51), MakeSpan(6, 1, 0, 150, 10)}), "X");
  EXPECT_EQ(End(slices[0]), Begin(slices[1]));
}

TEST(ChromeExportTest, DispatchesOfTheSameNanosecondKeepTheirOrder) {
  const std::vector<Json> slices = OfPhase(
      Events({MakeSpan(5, 1, 0, 100, 0), MakeSpan(6, 1, 0, 100, 0), MakeSpan(7, 1, 0, 100, 9)}),
      "X");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(slices[i].at("args").at("span").get<std::string>().back(), '5' + static_cast<int>(i));
    EXPECT_EQ(Begin(slices[i]), static_cast<int64_t>(i));
    EXPECT_GE(Nanos(slices[i].at("dur")), 1);
  }
}

TEST(ChromeExportTest, TimesAtTheEndOfTheNumbersAreValidToo) {
  SpanRecord span = MakeSpan(5, 0, 0, 0, 0xFFFFFFFF);
  span.start_ns = span.sent_ns = ~uint64_t{0};
  SpanRecord first = span;
  first.span = 6;
  first.start_ns = 0;
  const std::vector<Json> slices = OfPhase(Events({span, span, first}), "X");
  for (const Json& slice : slices) EXPECT_GE(Nanos(slice.at("dur")), 1);
}

TEST(ChromeExportTest, AnyBytesInNamesGiveValidJson) {
  SpanNames names;
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  names.actor = [&](uint32_t) { return all + "\"\\\n"; };
  names.type = [](uint32_t) {
    return std::string("\xE2\x82\xAC \xED\xA0\x80 \xF4\x90\x80\x80 \xC0");
  };
  const Json events = Events({MakeSpan(5, 0, 0, 100, 10)}, names);
  const std::string type = OfPhase(events, "X").at(0).at("args").at("type");
  EXPECT_EQ(type.substr(0, 4), "\xE2\x82\xAC ") << "what is UTF-8 stays";
  const std::string target = OfPhase(events, "X").at(0).at("args").at("target");
  EXPECT_EQ(target.substr(0, 128), all.substr(0, 128)) << "ASCII comes back as it was";
  EXPECT_EQ(target.substr(target.size() - 3), "\"\\\n");
}

TEST(ChromeExportTest, TheSameSpansGiveTheSameBytes) {
  std::mt19937_64 random(test::Seed());
  const std::vector<SpanRecord> spans = test::RandomSpans(random, 500);
  EXPECT_EQ(Write(spans), Write(spans));
}

TEST(ChromeExportTest, AFullDiskIsReported) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  const absl::Status status =
      WriteChromeTrace(std::vector<SpanRecord>{MakeSpan(5, 0, 0, 100, 10)}, {}, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
}

// What a viewer relies on, over traces of any shape.
TEST(ChromeExportTest, RandomTracesNestAndAllArrowsHaveTwoEnds) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(20); ++round) {
    const std::vector<SpanRecord> spans = test::RandomSpans(random, 1 + random() % 300);
    const Json events = Events(spans);
    const std::vector<Json> slices = OfPhase(events, "X");
    std::map<TrackKey, int64_t> track_end;
    for (const Json& slice : slices) {
      const auto before = track_end.find(TrackOf(slice));
      if (before != track_end.end()) {
        ASSERT_LE(before->second, Begin(slice)) << slice;
      }
      ASSERT_GE(Begin(slice), 0);
      ASSERT_GT(End(slice), Begin(slice));
      track_end[TrackOf(slice)] = End(slice);
    }
    std::map<std::string, Json> starts;
    for (const Json& start : OfPhase(events, "s")) {
      ASSERT_TRUE(starts.emplace(start.at("id"), start).second) << "one arrow for each message";
    }
    const std::vector<Json> ends = OfPhase(events, "f");
    ASSERT_EQ(ends.size(), starts.size());
    for (const Json& end : ends) {
      ASSERT_TRUE(starts.contains(end.at("id")));
      const Json& start = starts.at(end.at("id"));
      ASSERT_LE(Begin(start), Begin(end));
      const Json* from = Enclosing(slices, start);
      const Json* to = Enclosing(slices, end);
      ASSERT_NE(from, nullptr);
      ASSERT_NE(to, nullptr);
      const std::string parent = to->at("args").at("parent");
      if (parent == std::string(16, '0')) {
        ASSERT_EQ(from->at("args").at("span"), to->at("args").at("span"));
      } else {
        ASSERT_EQ(from->at("args").at("span"), parent);
      }
    }
  }
}

}  // namespace
}  // namespace bitactor
