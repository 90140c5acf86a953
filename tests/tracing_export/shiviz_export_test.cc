// The log is read again by ShiViz's own rules, and its clocks are judged against the spans.
#include "bitactor/tracing_export/shiviz_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "support/seed.h"
#include "tracing/span_generator.h"

namespace bitactor {
namespace {

using Clock = std::map<std::string, uint64_t>;
using ::testing::HasSubstr;

struct LoggedEvent {
  std::string text;
  std::string host;
  Clock clock;
};

// What ShiViz assumes unless told otherwise: (?<event>.*)\n(?<host>\S*) (?<clock>{.*})
std::vector<LoggedEvent> Parse(const std::string& log) {
  static const std::regex kEvent(R"(([^\n]*)\n(\S*) (\{[^\n]*\}))");
  std::vector<LoggedEvent> events;
  for (std::sregex_iterator at(log.begin(), log.end(), kEvent), end; at != end; ++at) {
    events.push_back({(*at)[1], (*at)[2], nlohmann::json::parse((*at)[3].str()).get<Clock>()});
  }
  return events;
}

// ShiViz refuses a log that breaks one of these.
void ExpectValid(const std::vector<LoggedEvent>& events) {
  std::map<std::string, uint64_t> count_of;
  std::map<std::string, Clock> last_of;
  for (const LoggedEvent& event : events) {
    ASSERT_TRUE(event.clock.contains(event.host)) << event.text;
    EXPECT_EQ(event.clock.at(event.host), ++count_of[event.host]) << "counts from 1 without holes";
    for (const auto& [host, count] : event.clock) {
      EXPECT_LE(count, count_of[host]) << "of events that are in the log, and before this one";
    }
    for (const auto& [host, count] : last_of[event.host]) {
      EXPECT_GE(event.clock.at(host), count) << "a host forgets nothing";
    }
    last_of[event.host] = event.clock;
  }
}

std::string Log(const std::vector<SpanRecord>& spans, const SpanNames& names = {}) {
  std::ostringstream out;
  const absl::Status status = WriteShivizLog(spans, names, out);
  EXPECT_TRUE(status.ok()) << status;
  return out.str();
}

SpanRecord Message(uint64_t id, uint64_t parent, uint32_t source, uint32_t target, uint64_t at) {
  SpanRecord span;
  span.trace = 1;
  span.span = id;
  span.parent_span = parent;
  span.source = source;
  span.target = target;
  span.sent_ns = at;
  span.start_ns = at + 5;
  span.duration_ns = 3;
  span.kind = static_cast<uint8_t>(FrameKind::kCast);
  return span;
}

TEST(ShivizExportTest, ASmallLogLetterByLetter) {
  const SpanNames names = {.actor = [](uint32_t id) -> std::string {
                             return id == 1 ? "port" : id == 2 ? "the feed" : "";
                           },
                           .type = [](uint32_t) -> std::string { return "my\nQuote"; }};
  EXPECT_EQ(Log({Message(10, 0, 1, 2, 100), Message(11, 10, 2, 3, 106)}, names),
            "sends my_Quote to the_feed\n"
            "port {\"port\":1}\n"
            "my_Quote from port, cast, waited 5 ns, worked 3 ns, ok\n"
            "the_feed {\"port\":1, \"the_feed\":1}\n"
            "my_Quote from the_feed, cast, waited 5 ns, worked 3 ns, ok\n"
            "actor_3 {\"port\":1, \"the_feed\":1, \"actor_3\":1}\n");
}

TEST(ShivizExportTest, WhoSharesANameGetsANumber) {
  const SpanNames names = {
      .actor = [](uint32_t id) -> std::string { return id < 3 ? "a b" : "a_b"; }};
  std::set<std::string> hosts;
  for (const LoggedEvent& event :
       Parse(Log({Message(10, 0, 1, 2, 100), Message(11, 10, 2, 3, 200)}, names))) {
    hosts.insert(event.host);
  }
  EXPECT_EQ(hosts, (std::set<std::string>{"a_b", "a_b#2", "a_b#3"}));
}

// The clocks order two dispatches exactly when one is a cause of the other.
TEST(ShivizExportTest, ClocksSayExactlyWhatCausedWhat) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(10); ++round) {
    std::vector<SpanRecord> spans = test::RandomSpans(random, 60);
    // The type is the span's number, to be found again in the text.
    for (size_t i = 0; i < spans.size(); ++i) spans[i].type = static_cast<uint32_t>(i);
    const std::vector<LoggedEvent> events =
        Parse(Log(spans, {.type = [](uint32_t type) { return "#" + std::to_string(type); }}));
    ExpectValid(events);
    size_t roots = 0;
    for (const SpanRecord& span : spans) roots += span.parent_span == 0 ? 1 : 0;
    ASSERT_EQ(events.size(), spans.size() + roots);

    std::vector<const LoggedEvent*> dispatch(spans.size());
    for (const LoggedEvent& event : events) {
      if (event.text[0] == '#') dispatch[std::stoul(event.text.substr(1))] = &event;
    }
    // Oracle: reachable by parents and by the order of one host; roots' senders are hosts, too.
    std::map<uint64_t, size_t> by_span;
    for (size_t i = 0; i < spans.size(); ++i) by_span.emplace(spans[i].span, i);
    std::map<std::string, std::vector<const LoggedEvent*>> of_host;
    std::map<const LoggedEvent*, std::vector<const LoggedEvent*>> causes;
    std::map<std::string, const LoggedEvent*> last;
    std::map<std::string, std::vector<const LoggedEvent*>> sends;
    for (const LoggedEvent& event : events) {
      if (last[event.host] != nullptr) causes[&event].push_back(last[event.host]);
      last[event.host] = &event;
    }
    std::map<std::string, const LoggedEvent*> sending;  // "#7" -> where it was sent from outside
    for (const LoggedEvent& event : events) {
      if (event.text.starts_with("sends ")) {
        sending[event.text.substr(6, event.text.find(" to ") - 6)] = &event;
      }
    }
    for (size_t i = 0; i < spans.size(); ++i) {
      if (spans[i].parent_span == 0) {
        causes[dispatch[i]].push_back(sending.at("#" + std::to_string(i)));
      } else if (by_span.contains(spans[i].parent_span)) {
        causes[dispatch[i]].push_back(dispatch[by_span[spans[i].parent_span]]);
      }
    }
    std::map<const LoggedEvent*, std::set<const LoggedEvent*>> past;
    for (const LoggedEvent& event : events) {  // causes are before effects
      for (const LoggedEvent* cause : causes[&event]) {
        past[&event].insert(cause);
        past[&event].insert(past[cause].begin(), past[cause].end());
      }
    }
    for (const LoggedEvent& a : events) {
      for (const LoggedEvent& b : events) {
        if (&a == &b) continue;
        const auto known = b.clock.find(a.host);
        const bool ordered = known != b.clock.end() && known->second >= a.clock.at(a.host);
        EXPECT_EQ(ordered, past[&b].contains(&a)) << a.text << "\n" << b.text;
      }
    }
  }
}

TEST(ShivizExportTest, CausesComeFirstWhereAllTimesAreEqual) {
  // As under a manual clock, the child on a shard that is read before its parent's.
  std::vector<SpanRecord> spans = {Message(11, 10, 2, 3, 100), Message(10, 0, 1, 2, 100)};
  for (SpanRecord& span : spans) span.start_ns = 100;
  const std::vector<LoggedEvent> events = Parse(Log(spans));
  ExpectValid(events);
  EXPECT_EQ(events.back().host, "actor_3");
  EXPECT_EQ(events.back().clock, (Clock{{"actor_1", 1}, {"actor_2", 1}, {"actor_3", 1}}));
}

TEST(ShivizExportTest, SpansThatContradictEachOtherAreAFault) {
  std::ostringstream out;
  const absl::Status status = WriteShivizLog(
      std::vector<SpanRecord>{Message(10, 11, 1, 2, 100), Message(11, 10, 2, 3, 200)}, {}, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 of 2"));
  EXPECT_EQ(WriteShivizLog(std::vector<SpanRecord>{Message(10, 10, 1, 1, 100)}, {}, out).code(),
            absl::StatusCode::kDataLoss);
}

TEST(ShivizExportTest, MoreThanABrowserDrawsIsRefused) {
  std::ostringstream out;
  const absl::Status status = WriteShivizLog(std::vector<SpanRecord>(kMaxShivizSpans + 1), {}, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("20001 spans"));
}

TEST(ShivizExportTest, AFullDiskIsTold) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(WriteShivizLog({}, {}, out).code(), absl::StatusCode::kDataLoss);
}

// The reader above reads what ShiViz's authors wrote.
TEST(ShivizExportTest, ThePublishedLogKeepsToTheSameRules) {
  const std::string path =
      std::string(BITACTOR_SHARED_DATA) + "/shiviz/voldemort-simple-threadnames.log";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "skipped: no published log at " << path;
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  const std::vector<LoggedEvent> events = Parse(text.str());
  ASSERT_GT(events.size(), 100u);
  for (const LoggedEvent& event : events) ASSERT_TRUE(event.clock.contains(event.host));
}

}  // namespace
}  // namespace bitactor
