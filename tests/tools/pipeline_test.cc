#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "market/itch50_generator.h"
#include "market/itch50_reader.h"
#include "pipeline/run.h"
#include "support/temp_dir.h"

namespace bitactor::pipeline {
namespace {

std::unique_ptr<market::FeedReader> Generated(uint64_t messages, uint32_t symbols = 20) {
  auto source =
      market::Itch50Generator::Create({.seed = 3, .messages = messages, .symbols = symbols});
  EXPECT_TRUE(source.ok()) << source.status();
  auto feed = market::Itch50Reader::Open(*std::move(source));
  EXPECT_TRUE(feed.ok()) << feed.status();
  return *std::move(feed);
}

RunReport RunAll(market::FeedReader& feed, const RunOptions& options) {
  absl::StatusOr<RunReport> report = RunFeed(feed, options);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *std::move(report) : RunReport{};
}

// Moves the clock to the event's time, and lets the shards run in between.
class ManualPacer final : public Pacer {
 public:
  explicit ManualPacer(TickClock* clock) : clock_(clock) {}
  void Await(uint64_t feed_time_ns) override {
    if (feed_time_ns > last_ns_ && last_ns_ != 0) clock_->Advance(feed_time_ns - last_ns_);
    last_ns_ = feed_time_ns;
  }

 private:
  TickClock* clock_;
  uint64_t last_ns_ = 0;
};

TEST(PipelineTest, TheDigestDoesNotDependOnTheNumberOfShards) {
  std::vector<uint64_t> digests;
  for (const uint32_t shards : {1u, 2u, 4u}) {
    auto feed = Generated(60'000);
    const RunReport report = RunAll(*feed, {.shards = shards});
    EXPECT_EQ(report.symbols, 20u);
    EXPECT_GT(report.positions.fills, 50u) << "a digest of nothing would prove nothing";
    EXPECT_TRUE(report.counters.AddUp());
    digests.push_back(report.digest);
  }
  EXPECT_EQ(digests[1], digests[0]);
  EXPECT_EQ(digests[2], digests[0]);
}

TEST(PipelineTest, TheDigestDoesNotDependOnThePace) {
  auto fast = Generated(30'000);
  const uint64_t digest = RunAll(*fast, {.shards = 2}).digest;
  TickClock clock(TickClock::Source::kManual, 1'000);
  ManualPacer pacer(&clock);
  RunOptions options;
  options.shards = 2;
  options.pacer = &pacer;
  options.fabric.threads = false;
  options.fabric.clock = &clock;
  auto slow = Generated(30'000);
  EXPECT_EQ(RunAll(*slow, options).digest, digest);
}

TEST(PipelineTest, DefectsAreSurvivedAndLeaveNoTraceInTheDigest) {
  auto clean_feed = Generated(80'000);
  const RunReport clean = RunAll(*clean_feed, {.shards = 2});
  test::TempDir dir;
  RunOptions options;
  options.shards = 2;
  options.journal_dir = dir.path();
  options.defects = true;
  auto feed = Generated(80'000);
  const RunReport report = RunAll(*feed, options);
  EXPECT_EQ(report.restarts, 2u);
  EXPECT_EQ(report.counters.dead_letters[static_cast<size_t>(DeadLetterCause::kCorrupted)], 1u);
  EXPECT_EQ(report.digest, clean.digest);
  EXPECT_TRUE(report.counters.AddUp());
}

TEST(PipelineTest, ReplayOfTheJournalsGivesTheDigestOfTheRun) {
  test::TempDir dir;
  RunOptions options;
  options.shards = 2;
  options.journal_dir = dir.path();
  options.defects = true;
  auto feed = Generated(80'000, 5);
  const RunReport run = RunAll(*feed, options);
  const absl::StatusOr<ReplayReport> replay = ReplayRun({.journal_dir = dir.path()}, "");
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ(replay->digest, run.digest);
  EXPECT_EQ(replay->positions.fills, run.positions.fills);
}

TEST(PipelineTest, ARunOverAFinishedJournalSendsNothingAgain) {
  test::TempDir dir;
  RunOptions options;
  options.journal_dir = dir.path();
  auto feed = Generated(20'000);
  const RunReport first = RunAll(*feed, options);
  auto again = Generated(20'000);
  options.shards = 3;
  const RunReport second = RunAll(*again, options);
  EXPECT_EQ(second.digest, first.digest);
  EXPECT_EQ(second.counters.sent, 0u);
  EXPECT_EQ(second.boot, 2u);
}

}  // namespace
}  // namespace bitactor::pipeline
