// `bitactor run` and `bitactor demo`.
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "cli/commands.h"
#include "cli/live_view.h"
#include "cli/run_manifest.h"
#include "cli/scratch_dir.h"
#include "market/feed_reader.h"
#include "market/itch50_generator.h"
#include "market/itch50_reader.h"
#include "market/zero_tick_run.h"
#include "pipeline/report.h"
#include "pipeline/run.h"

namespace bitactor::cli {
namespace {

struct RunArguments {
  std::string feed;
  std::string format;
  std::string book;
  std::string journal;
  std::string trace;
  std::string dump_book;
  std::string pace = "max";
  uint32_t shards = 2;
  std::string http;
  bool hold = false;
  bool resume = false;
  bool json = false;
  // demo
  uint64_t seed = 1;
  uint64_t messages = 1'000'000;
  uint32_t symbols = 20;
  bool no_defects = false;
};

// Sends every event when its time in the feed has come, `factor` times as fast.
class FeedPacer final : public pipeline::Pacer {
 public:
  explicit FeedPacer(double factor) : factor_(factor) {}

  void Await(uint64_t feed_time_ns) override {
    const uint64_t now_ns = Now();
    if (!started_) {
      started_ = true;
      start_ns_ = now_ns;
      first_feed_ns_ = feed_time_ns;
    }
    const uint64_t due_ns =
        start_ns_ +
        static_cast<uint64_t>(static_cast<double>(feed_time_ns - first_feed_ns_) / factor_);
    if (due_ns <= now_ns) return;
    const timespec until{static_cast<time_t>(due_ns / 1'000'000'000),
                         static_cast<long>(due_ns % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
    }
  }

 private:
  static uint64_t Now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
  }

  const double factor_;
  bool started_ = false;
  uint64_t start_ns_ = 0;
  uint64_t first_feed_ns_ = 0;
};

absl::StatusOr<std::unique_ptr<FeedPacer>> MakePacer(const std::string& pace) {
  if (pace == "max") return nullptr;
  double factor = 1;
  if (pace != "recorded" &&
      (!absl::SimpleAtod(pace, &factor) || !(factor >= 1e-3 && factor <= 1e9))) {
    return absl::InvalidArgumentError(absl::StrCat("--pace ", pace,
                                                   ": write max, recorded, or a factor from 0.001 "
                                                   "to 1e9 (10: ten times as fast as recorded)"));
  }
  return std::make_unique<FeedPacer>(factor);
}

// `again`: the same feed from its beginning, for the report on zero ticks; null: none.
int Execute(market::FeedReader& feed, market::FeedReader* again, const RunArguments& arguments,
            bool defects) {
  absl::StatusOr<std::unique_ptr<FeedPacer>> pacer = MakePacer(arguments.pace);
  if (!pacer.ok()) return Fail(pacer.status());
  pipeline::RunOptions options;
  options.shards = arguments.shards;
  options.journal_dir = arguments.journal;
  options.trace_path = arguments.trace;
  options.dump_symbol = arguments.dump_book;
  options.defects = defects;
  options.pacer = pacer->get();
  ScratchDir scratch;
  std::unique_ptr<LiveView> live;
  if (!arguments.http.empty()) {
    absl::StatusOr<HttpPlace> place = ParseHttpPlace(arguments.http);
    if (!place.ok()) return Fail(place.status());
    // The page shows what the fabric publishes, also where no journal is kept.
    options.fabric.stats_file = FabricStatsFile(arguments.journal);
    if (arguments.journal.empty()) {
      if (absl::Status status = scratch.Create(); !status.ok()) return Fail(status);
      options.fabric.stats_file = FabricStatsFile(scratch.path());
    }
    live = std::make_unique<LiveView>(*place, options.fabric.stats_file, arguments.hold);
    options.observer = live.get();
  } else if (arguments.hold) {
    return Fail(absl::InvalidArgumentError(
        "--hold keeps the HTTP endpoint; say where that is with --http [ADDRESS:]PORT"));
  }
  absl::StatusOr<pipeline::RunReport> report = absl::UnknownError("not run");
  {
    ProgressLine progress;
    options.on_progress = [&progress](uint64_t messages, uint64_t elapsed_ns) {
      progress.Show(absl::StrFormat(
          "%d messages, %.2f M/s", messages,
          static_cast<double>(messages) * 1e3 / static_cast<double>(elapsed_ns + 1)));
    };
    report = pipeline::RunFeed(feed, options);
  }
  if (!report.ok()) return Fail(report.status());
  // A feed that was cut short has no share of the whole.
  if (again != nullptr && report->fault.ok()) {
    const TickClock clock;
    market::ZeroTickRun zero_tick(clock);
    if (absl::Status status = zero_tick.Run(*again); !status.ok()) return Fail(status);
    report->zero_tick = zero_tick.Report();
  }
  if (arguments.json) {
    std::fputs(pipeline::ToJson(*report).c_str(), stdout);
  } else if (!arguments.dump_book.empty()) {
    for (const std::string& line : report->dump) std::puts(line.c_str());
    std::fputs(pipeline::ToText(*report).c_str(), stderr);
  } else {
    std::fputs(pipeline::ToText(*report).c_str(), stdout);
  }
  if (!report->fault.ok()) {
    std::fflush(stdout);
    const int code = Fail(report->fault);
    std::fprintf(
        stderr,
        "bitactor: the %llu messages before this were processed%s; the counts above are theirs\n",
        static_cast<unsigned long long>(report->feed_messages),
        arguments.journal.empty() ? "" : " and journalled");
    // The run was begun, so what ended it is bad data or a full disk.
    return code == kExitOk ? kExitOk : kExitFoundProblem;
  }
  return report->counters.AddUp() ? kExitOk : kExitFoundProblem;
}

int Run(const RunArguments& arguments) {
  absl::StatusOr<market::FeedFormat> format = market::ParseFeedFormat(arguments.format);
  if (!format.ok()) return Fail(format.status());
  absl::StatusOr<std::unique_ptr<market::FeedReader>> feed =
      market::OpenFeed(PosixFiles(), *format, arguments.feed, arguments.book);
  if (!feed.ok()) return Fail(feed.status());
  if (absl::Status status =
          BeginOrResume(arguments.journal, arguments.resume,
                        {{"format", arguments.format}, {"feed", FileIdentity(arguments.feed)}});
      !status.ok()) {
    return Fail(status);
  }
  absl::StatusOr<std::unique_ptr<market::FeedReader>> again =
      market::OpenFeed(PosixFiles(), *format, arguments.feed, arguments.book);
  if (!again.ok()) return Fail(again.status());
  return Execute(**feed, again->get(), arguments, /*defects=*/false);
}

int Demo(RunArguments arguments) {
  market::GeneratorOptions generator;
  generator.seed = arguments.seed;
  generator.messages = arguments.messages;
  generator.symbols = arguments.symbols;
  absl::StatusOr<std::unique_ptr<market::Itch50Generator>> source =
      market::Itch50Generator::Create(generator);
  if (!source.ok()) return Fail(source.status());
  absl::StatusOr<std::unique_ptr<market::FeedReader>> feed =
      market::Itch50Reader::Open(*std::move(source));
  if (!feed.ok()) return Fail(feed.status());
  // The demo shows durable actors, so it always has a journal.
  ScratchDir scratch;
  if (arguments.journal.empty()) {
    if (absl::Status status = scratch.Create(); !status.ok()) return Fail(status);
    arguments.journal = scratch.path();
    if (!arguments.json) {
      std::printf(
          "a made-up ITCH 5.0 day: seed %llu, %u symbols; journal in %s, removed at the end\n",
          static_cast<unsigned long long>(arguments.seed), arguments.symbols,
          scratch.path().c_str());
    }
  } else if (absl::Status status = BeginOrResume(
                 arguments.journal, arguments.resume,
                 {{"format", "generated"},
                  {"feed", absl::StrCat("seed ", arguments.seed, ", ", arguments.messages,
                                        " messages, ", arguments.symbols, " symbols")}});
             !status.ok()) {
    return Fail(status);
  }
  return Execute(**feed, /*again=*/nullptr, arguments, !arguments.no_defects);
}

void AddCommon(CLI::App& command, RunArguments& arguments) {
  command.add_option("--journal", arguments.journal, "Folder for the journals, made if missing");
  command.add_flag("--resume", arguments.resume,
                   "Go on with the run whose journals are in --journal DIR");
  command.add_option("--trace", arguments.trace,
                     "Write the last spans as Chrome JSON, for ui.perfetto.dev");
  command.add_option("--shards", arguments.shards, "Threads that actors are spread over")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_option("--pace", arguments.pace, "max, recorded, or a factor of the recorded pace")
      ->capture_default_str();
  command.add_option("--http", arguments.http,
                     "Serve metrics, health and a live page at [ADDRESS:]PORT while it runs; "
                     "without ADDRESS for this machine alone");
  command.add_flag("--hold", arguments.hold, "With --http: serve on after the end, until Ctrl-C");
  command.add_option("--dump-book", arguments.dump_book,
                     "Print this symbol's final book (side price shares orders); the summary goes "
                     "to standard error");
  command.add_flag("--json", arguments.json, "Print one JSON object instead of the summary");
}

}  // namespace

void AddRunCommands(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* run = app.add_subcommand("run", "Run a recorded feed through the market pipeline");
  run->add_option("--feed", arguments->feed,
                  "The feed: an ITCH 5.0 file, or a LOBSTER message file")
      ->required();
  run->add_option("--format", arguments->format, "itch50 or lobster")->required();
  run->add_option("--book", arguments->book,
                  "LOBSTER's order book file: check each row and take tops from it");
  AddCommon(*run, *arguments);
  run->footer(
      "Examples:\n"
      "  bitactor run --feed day.itch --format itch50\n"
      "  bitactor run --feed day.itch --format itch50 --journal run1 --trace run1.json --shards 4\n"
      "  bitactor run --feed day.itch --format itch50 --journal run1 --resume      (after a "
      "crash)\n"
      "  bitactor run --feed day.itch --format itch50 --pace recorded --http 9464  (then open "
      "http://localhost:9464/)\n"
      "  bitactor run --feed GOOG_message_1.csv --format lobster --book GOOG_orderbook_1.csv "
      "--json\n"
      "Exit codes: 0 ok, 1 bad data or no space (what was read before is processed), 2 wrong use");
  run->callback([arguments, &exit_code] { exit_code = Run(*arguments); });

  auto demo_arguments = std::make_shared<RunArguments>();
  CLI::App* demo =
      app.add_subcommand("demo", "Run a made-up trading day, with failures to survive");
  demo->add_option("--seed", demo_arguments->seed, "Of the made-up feed")->capture_default_str();
  demo->add_option("--messages", demo_arguments->messages, "Length of the feed")
      ->capture_default_str();
  demo->add_option("--symbols", demo_arguments->symbols, "Number of symbols")
      ->capture_default_str();
  demo->add_flag("--no-defects", demo_arguments->no_defects,
                 "No poison messages, no damaged frame");
  AddCommon(*demo, *demo_arguments);
  demo->footer(
      "Examples:\n"
      "  bitactor demo\n"
      "  bitactor demo --shards 4 --trace demo.json\n"
      "  bitactor demo --pace recorded --http 9464 --hold      (then open http://localhost:9464/)\n"
      "  bitactor demo --seed 7 --messages 200000 --journal demo1 --json");
  demo->callback([demo_arguments, &exit_code] { exit_code = Demo(*demo_arguments); });
}

}  // namespace bitactor::cli
