#include "pipeline/run.h"

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/tracing/span_file.h"
#include "pipeline/chain.h"
#include "pipeline/span_names.h"

namespace bitactor::pipeline {
namespace {

constexpr uint64_t kBurstEvents = 16;       // sent before they are published
constexpr uint64_t kProgressEvents = 8192;  // between two calls of on_progress
constexpr const char* kRejectionNames[market::kRejections] = {"stopped", "unusable_top", "position",
                                                              "notional", "rate"};

// What a run counts of its feed; nothing without an observer.
class FeedMetrics {
 public:
  static absl::StatusOr<FeedMetrics> Make(RunObserver* observer) {
    FeedMetrics metrics;
    if (observer == nullptr) return metrics;
    auto events = observer->metrics()->AddCounters(
        {.name = "bitactor_feed_events", .help = "Events read from the feed and sent."});
    if (!events.ok()) return events.status();
    auto latency = observer->metrics()->AddHistograms(
        {.name = "bitactor_feed_event_seconds",
         .help = "From reading an event of the feed to its message being sent.",
         .unit = "seconds",
         .scale = 1e-9});
    if (!latency.ok()) return latency.status();
    metrics.events_ = &events->Of({});
    metrics.latency_ = &latency->Of({});
    return metrics;
  }
  void Note(uint64_t took_ns) {
    if (events_ == nullptr) return;
    events_->Add();
    latency_->Record(took_ns);
  }

 private:
  CounterCell* events_ = nullptr;
  HistogramCell* latency_ = nullptr;
};

// Tells the observer of the end, however it comes.
class ObservedRun {
 public:
  explicit ObservedRun(RunObserver* observer) : observer_(observer) {}
  ~ObservedRun() {
    if (observer_ != nullptr) observer_->Finished(whole_);
  }
  ObservedRun(const ObservedRun&) = delete;
  ObservedRun& operator=(const ObservedRun&) = delete;

  void IsWhole() { whole_ = true; }
  void End() {
    if (observer_ != nullptr) std::exchange(observer_, nullptr)->Finished(whole_);
  }

 private:
  RunObserver* observer_;
  bool whole_ = false;
};

// Sends a feed into a system: the feed handler. One thread.
class FeedHandler {
 public:
  FeedHandler(System& system, market::FeedReader& feed, const RunOptions& options,
              FeedMetrics metrics)
      : system_(system),
        feed_(feed),
        options_(options),
        metrics_(metrics),
        clock_(system.fabric().clock()),
        supervisor_(system.Supervise({.max_restarts = 3, .within = absl::Seconds(5)})),
        port_(system.fabric().OpenPort({.name = "feed"})),
        defects_port_(system.fabric().OpenPort({.name = "defects"})) {}

  // Brings back the chains of an earlier run.
  absl::Status Recover() {
    for (const std::string& symbol : RecoveredSymbols(system_)) {
      absl::StatusOr<Chain> chain = SpawnChain(supervisor_, symbol);
      if (!chain.ok()) return chain.status();
      chains_.push_back(std::make_unique<Chain>(*std::move(chain)));
      by_symbol_[symbol] = chains_.back().get();
    }
    return absl::OkStatus();
  }

  // Until the end of the feed, or what ended it early.
  absl::Status Run() {
    const uint64_t start_ns = clock_.NowNanos();
    market::FeedItem item;
    while (true) {
      const uint64_t read_ns = clock_.NowNanos();
      absl::StatusOr<bool> more = feed_.Next(&item);
      if (!more.ok() || !*more) {
        port_.Flush();
        return more.status();
      }
      if (options_.pacer != nullptr) {
        port_.Flush();
        options_.pacer->Await(item.event.time_ns);
      }
      if (absl::Status status = Handle(item); !status.ok()) return status;
      const uint64_t took_ns = clock_.NowNanos() - read_ns;
      latency_.Record(took_ns);
      metrics_.Note(took_ns);
      if (++events_ % kBurstEvents == 0) port_.Flush();
      if (events_ % kProgressEvents == 0 && options_.on_progress) {
        options_.on_progress(feed_.counts().messages, clock_.NowNanos() - start_ns);
      }
    }
  }

  uint64_t already_taken() const { return already_taken_; }
  const LatencyHistogram& latency() const { return latency_; }
  std::vector<std::string> symbols() const {
    std::vector<std::string> symbols;
    for (const auto& chain : chains_) symbols.push_back(chain->symbol);
    return symbols;
  }

 private:
  absl::Status Handle(const market::FeedItem& item) {
    absl::StatusOr<Chain*> chain = ChainOf(item.event.locate);
    if (!chain.ok()) return chain.status();
    const Address book = (*chain)->book.ref().address;
    if (item.row.has_value() && !uses_rows_) {
      uses_rows_ = true;
      if (absl::Status status = Send(book, UseRows{}); !status.ok()) return status;
    }
    if (absl::Status status = Send(book, item.event); !status.ok()) return status;
    if (item.row.has_value()) {
      if (absl::Status status = Send(book, *item.row); !status.ok()) return status;
    }
    if (options_.defects) return InjectDefects(item.event.sequence, **chain);
    return absl::OkStatus();
  }

  absl::StatusOr<Chain*> ChainOf(uint16_t locate) {
    if (by_locate_[locate] != nullptr) [[likely]]
      return by_locate_[locate];
    const std::string symbol = feed_.SymbolOf(locate);
    Chain*& chain = by_symbol_[symbol];
    if (chain == nullptr) {
      port_.Flush();
      absl::StatusOr<Chain> spawned = SpawnChain(supervisor_, symbol);
      if (!spawned.ok()) return spawned.status();
      chains_.push_back(std::make_unique<Chain>(*std::move(spawned)));
      chain = chains_.back().get();
    }
    by_locate_[locate] = chain;
    return chain;
  }

  // Waits for room in the lane: a feed is never thinned out.
  template <typename M>
  absl::Status Send(Address target, const M& message) {
    while (true) {
      switch (port_.Post(target, message)) {
        case SendResult::kOk:
          return absl::OkStatus();
        case SendResult::kAlreadyTaken:
          ++already_taken_;
          return absl::OkStatus();
        case SendResult::kFull:
        case SendResult::kMailboxFull:
          port_.Flush();
          if (system_.fabric().threaded()) {
            std::this_thread::yield();
          } else {
            system_.fabric().Poll();
          }
          break;
        case SendResult::kJournalFull:
          return system_.fabric().Health();
        case SendResult::kClosed:
          return absl::UnavailableError("the fabric is stopping");
        case SendResult::kCutOff:
          return absl::DataLossError(
              "the feed's port was cut off: too many of its frames were corrupted; see `bitactor "
              "quarantine`");
        case SendResult::kNoBlock:
        case SendResult::kTooLong:
          return absl::InternalError("a message of a type was refused as if it were a block");
      }
    }
  }

  // Beside the feed and through a port of their own, so that the feed's messages keep their
  // numbers.
  absl::Status InjectDefects(uint64_t sequence, const Chain& chain) {
    if (defects_ == 0 && sequence > 20'000) {
      defects_ = 1;
      defects_port_.Send(chain.risk.ref().address, Poison{1});
    } else if (defects_ == 1 && sequence > 40'000) {
      defects_ = 2;
      defects_port_.Send(chain.book.ref().address, Poison{2});
    } else if (defects_ == 2 && sequence > 60'000) {
      defects_ = 3;
      internal::Envelope envelope;
      envelope.source = defects_port_.core()->id();
      envelope.target = chain.book.ref().address;
      envelope.message_id = defects_port_.core()->NextMessageId();
      envelope.type = TypeId<Poison>();
      defects_port_.core()->SendDamaged(envelope);
    }
    return absl::OkStatus();
  }

  System& system_;
  market::FeedReader& feed_;
  const RunOptions& options_;
  FeedMetrics metrics_;
  const TickClock& clock_;
  SupervisorRef supervisor_;
  Port port_;
  Port defects_port_;
  std::array<Chain*, 65536> by_locate_{};
  std::map<std::string, Chain*> by_symbol_;
  std::vector<std::unique_ptr<Chain>> chains_;
  uint64_t events_ = 0;
  uint64_t already_taken_ = 0;
  int defects_ = 0;
  bool uses_rows_ = false;
  LatencyHistogram latency_;
};

StageReport StageOf(const std::string& name, const LatencyHistogram& latency) {
  return {name,
          latency.count(),
          latency.Percentile(50),
          latency.Percentile(99),
          latency.Percentile(99.9),
          latency.max_ns()};
}

Totals Add(System& system, const std::vector<std::string>& symbols,
           const std::string& dump_symbol) {
  Totals totals;
  totals.symbols = symbols.size();
  for (const std::string& symbol : symbols) {
    system.Inspect<BookActor>(BookName(symbol), [&](const BookActor& actor) {
      totals.books += actor.logic().book().counts();
      totals.live_orders += actor.logic().book().live_orders();
      totals.rows.compared += actor.logic().row_counts().compared;
      totals.rows.equal += actor.logic().row_counts().equal;
      if (symbol == dump_symbol) totals.dump = actor.logic().book().DumpLines();
    });
  }
  ForEachOf<PositionActor>(system, "position", symbols, [&](const PositionActor& actor) {
    totals.positions += actor.logic().state();
  });
  return totals;
}

absl::Status CheckDumpSymbol(const std::vector<std::string>& symbols, const std::string& symbol) {
  if (symbol.empty() || std::find(symbols.begin(), symbols.end(), symbol) != symbols.end()) {
    return absl::OkStatus();
  }
  std::string known;
  for (size_t i = 0; i < symbols.size() && i < 20; ++i) absl::StrAppend(&known, " ", symbols[i]);
  return absl::InvalidArgumentError(absl::StrCat("--dump-book ", symbol,
                                                 ": this feed has no such symbol; it has", known,
                                                 symbols.size() > 20 ? " and more" : ""));
}

absl::Status SaveTrace(System& system, const RunOptions& options, RunReport& report) {
  if (options.trace_path.empty() && options.journal_dir.empty()) return absl::OkStatus();
  const std::vector<SpanRecord> spans = system.Spans();
  report.spans = spans.size();
  report.spans_dropped = system.fabric().spans_dropped();
  const SpanNameTable names = NamesOf(system, spans);
  if (!options.journal_dir.empty()) {
    // Beside the journals, for `bitactor trace export`.
    absl::Status status =
        SaveSpans(JoinPath(options.journal_dir, kSpanFileName), spans, names, report.spans_dropped);
    if (!status.ok()) return status;
  }
  if (options.trace_path.empty()) return absl::OkStatus();
  return WriteChromeTraceFile(options.trace_path, spans, names);
}

}  // namespace

absl::StatusOr<RunReport> RunFeed(market::FeedReader& feed, const RunOptions& options) {
  if (!options.trace_path.empty()) {
    // Before the work, not after it.
    if (absl::Status status = CheckWritable(options.trace_path); !status.ok()) return status;
  }
  SystemOptions system_options;
  system_options.shards = options.shards;
  system_options.durable = options.journal_dir;
  system_options.fabric = options.fabric;
  absl::StatusOr<std::unique_ptr<System>> started = System::Start(std::move(system_options));
  if (!started.ok()) return started.status();
  System& system = **started;

  RunReport report;
  report.shards = options.shards;
  report.boot = system.fabric().boot();
  report.recovered_frames = system.recovered_frames();
  absl::StatusOr<FeedMetrics> metrics = FeedMetrics::Make(options.observer);
  if (!metrics.ok()) return metrics.status();
  if (options.observer != nullptr) {
    if (absl::Status status = options.observer->Started(system); !status.ok()) return status;
  }
  ObservedRun observed(options.observer);
  const uint64_t start_ns = system.fabric().clock().NowNanos();
  auto handler = std::make_unique<FeedHandler>(system, feed, options, *metrics);
  if (absl::Status status = handler->Recover(); !status.ok()) return status;
  report.fault = handler->Run();
  system.WaitIdle();
  if (report.fault.ok()) report.fault = system.fabric().Health();
  report.elapsed_ns = system.fabric().clock().NowNanos() - start_ns;

  report.feed_messages = feed.counts().messages;
  report.feed_bytes = feed.counts().bytes;
  report.already_taken = handler->already_taken();
  report.digest = system.Digest();
  report.counters = system.Counters();
  report.restarts = system.restarts();
  const std::vector<std::string> symbols = handler->symbols();
  if (absl::Status status = CheckDumpSymbol(symbols, options.dump_symbol); !status.ok()) {
    return status;
  }
  static_cast<Totals&>(report) = Add(system, symbols, options.dump_symbol);
  ForEachOf<SignalActor>(system, "signal", symbols, [&](const SignalActor& actor) {
    report.intents += actor.logic().state().intents;
  });
  ForEachOf<RiskActor>(system, "risk", symbols, [&](const RiskActor& actor) {
    report.approved += actor.logic().state().approved;
    for (size_t i = 0; i < market::kRejections; ++i) {
      if (actor.logic().state().rejected[i] != 0) {
        report.rejected[kRejectionNames[i]] += actor.logic().state().rejected[i];
      }
    }
  });
  report.stages = {StageOf("feed", handler->latency()),
                   StageOf("book", system.Latency<BookActor>()),
                   StageOf("signal", system.Latency<SignalActor>()),
                   StageOf("risk", system.Latency<RiskActor>()),
                   StageOf("execution", system.Latency<ExecutionActor>()),
                   StageOf("position", system.Latency<PositionActor>())};
  report.overruns = system.fabric().Overruns();
  report.suspicions = system.fabric().Suspicions();
  if (absl::Status status = SaveTrace(system, options, report); !status.ok()) return status;
  if (report.fault.ok()) observed.IsWhole();
  observed.End();
  handler.reset();  // gives its ports back before the fabric ends
  if (absl::Status status = system.Stop(); !status.ok()) return status;
  return report;
}

absl::StatusOr<ReplayReport> ReplayRun(const ReplaySpec& spec, const std::string& dump_symbol) {
  absl::StatusOr<std::unique_ptr<System>> replay = System::Replay(spec);
  if (!replay.ok()) return replay.status();
  System& system = **replay;
  const SupervisorRef supervisor = system.Supervise();
  const std::vector<std::string> symbols = RecoveredSymbols(system);
  // Every stage on its own: at an early place a chain may not have been whole yet.
  for (const RecoveredActor& actor : system.RecoveredActors()) {
    if (absl::Status status = SpawnRecovered(supervisor, actor); !status.ok()) return status;
  }
  ReplayReport report;
  report.frames = system.recovered_frames();
  report.digest = system.Digest();
  if (absl::Status status = CheckDumpSymbol(symbols, dump_symbol); !status.ok()) return status;
  static_cast<Totals&>(report) = Add(system, symbols, dump_symbol);
  return report;
}

}  // namespace bitactor::pipeline
