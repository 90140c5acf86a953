// A trace goes through all that actors do with messages, and so does the decision whether it is recorded.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/replay.h"
#include "bitactor/l3_genactor/guarded.h"
#include "bitactor/l3_genactor/system.h"
#include "support/temp_dir.h"

namespace bitactor::tracing_test {

struct Ask {
  using Reply = int64_t;
};
struct Note {
  uint64_t number;
};
struct Begin {
  uint64_t unused = 0;
};

std::optional<TraceContext> seen_context;

// Answers every second question; the others fail, so that they are asked again.
class Oracle : public Actor<Oracle, Ask, Note> {
 public:
  absl::StatusOr<int64_t> On(const Ask&) {
    if (++failures % 2 == 1) return absl::UnavailableError("ask again");
    return 42;
  }
  void On(const Note&) { seen_context = trace_context(); }

  static inline int failures = 0;
};

// Waits, asks until it is answered, and tells.
class Asker : public Actor<Asker, Begin> {
 public:
  explicit Asker(Ref<Oracle> oracle) : oracle_(oracle) {}
  Task<void> On(Begin) {
    const Ref<Oracle> oracle = oracle_;
    co_await Sleep(absl::Microseconds(10));
    auto guarded = Guarded(oracle, Breaker{.failure_rate = 1.0},
                           Retry{.attempts = 3,
                                 .base = absl::Microseconds(50),
                                 .cap = absl::Milliseconds(1),
                                 .budget = 1.0},
                           Timeout{absl::Milliseconds(50)});
    const absl::StatusOr<int64_t> answer = co_await guarded.Call(Ask{});
    if (answer.ok()) Cast(oracle, Note{1});
  }
  auto State() const { return std::tuple<>(); }

 private:
  Ref<Oracle> oracle_;
};

class ActorTracingTest : public ::testing::Test {
 protected:
  void Run(bool sampled) {
    seen_context.reset();
    Oracle::failures = 0;
    SystemOptions options;
    options.shards = 2;
    options.durable = dir_.File(sampled ? "sampled" : "unsampled");
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 2;
    options.fabric.sampling.slow_ns = 0;
    options.fabric.journal.prepare_ahead = false;
    options.fabric.journal.segment_bytes = 1 << 20;
    auto system = System::Start(options);
    ASSERT_TRUE(system.ok()) << system.status();
    const SupervisorRef supervisor = (*system)->Supervise({.max_restarts = 1000});
    const Handle<Oracle> oracle = supervisor.Spawn<Oracle>("oracle");
    const Handle<Asker> asker =
        supervisor.Spawn<Asker>("asker", Restart::kPermanent, Ref<Oracle>(oracle));
    ASSERT_TRUE(asker.ok());
    TraceRoot root;
    root.context.trace_id = {7, 9};
    root.context.parent_id = 5;
    root.context.sampled = sampled;
    {
      const TraceScope scope(root);
      ASSERT_EQ(asker.Cast(Begin{}), SendResult::kOk);
    }
    for (int i = 0; i < 10; ++i) {
      (*system)->WaitIdle();
      clock_.Advance(200'000);
      (*system)->fabric().Poll();
    }
    (*system)->WaitIdle();
    ASSERT_TRUE(seen_context.has_value()) << "the last of its messages came";
    EXPECT_EQ(seen_context->trace_id, root.context.trace_id);
    EXPECT_EQ(seen_context->sampled, sampled);
    spans_ = (*system)->Spans();
    ASSERT_TRUE((*system)->Stop().ok());
    // What is replayed is what was journalled.
    absl::StatusOr<FabricReplay> replay = FabricReplay::Open(options.durable);
    ASSERT_TRUE(replay.ok()) << replay.status();
    for (const ReplayedMessage& message : *replay) {
      if (message.kind() == FrameKind::kSystem) continue;
      kinds_.insert(message.kind());
      ++messages_;
      EXPECT_EQ(message.trace(), LocalTraceOf(root.context.trace_id));
      EXPECT_EQ((message.frame().header.flags & kFlagUnsampled) == 0, sampled)
          << static_cast<int>(message.kind());
    }
    ASSERT_TRUE(replay->status().ok());
  }

  test::TempDir dir_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::vector<SpanRecord> spans_;
  std::set<FrameKind> kinds_;
  size_t messages_ = 0;
};

TEST_F(ActorTracingTest, CallsRepliesTimersAndRetriesStayInTheirTrace) {
  Run(/*sampled=*/true);
  EXPECT_EQ(kinds_, (std::set<FrameKind>{FrameKind::kCast, FrameKind::kCall, FrameKind::kReply,
                                         FrameKind::kTimer}));
  EXPECT_EQ(spans_.size(), messages_);
  for (const SpanRecord& span : spans_) EXPECT_EQ(span.trace, LocalTraceOf({7, 9}));
}

TEST_F(ActorTracingTest, OfATraceThatIsNotSampledOnlyTheFailureLeavesASpan) {
  Run(/*sampled=*/false);
  EXPECT_EQ(kinds_.size(), 4u);
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].outcome, SpanOutcome::kCrashed);
  EXPECT_EQ(spans_[0].trace, LocalTraceOf({7, 9}));
}

}  // namespace bitactor::tracing_test
