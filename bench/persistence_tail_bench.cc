// persistence/append_tail and its companions: how long single appends take while the disk works.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/cpu_pair.h"
#include "bench/journal_bytes.h"
#include "bench/rows.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/persistence/journal.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPayloadBytes = 64;
constexpr size_t kRecordBytes = StoredBytes(kPayloadBytes);
constexpr uint64_t kStallNs = 1'000'000;
// After so many appends it is asked, off the clock, whether the thread was preempted.
constexpr uint64_t kAskEvery = 4096;
constexpr uint64_t kRingSlots = 4096;
// What is appended where no page may fault: in pieces, with time for the helper between them.
constexpr uint64_t kCalmBytes = uint64_t{32} << 20;
constexpr uint64_t kCalmPieceBytes = uint64_t{1} << 20;
constexpr uint64_t kCalmPauseNs = 3'000'000;

Frame SealedFrame() {
  Frame frame{};
  frame.header.size_bytes = kPayloadBytes;
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = MakeMessageId(1, 1);
  Seal(frame);
  return frame;
}

void RemoveAll(const std::string& path) {
  std::error_code ignored;  // the work directory goes as a whole in the end
  std::filesystem::remove_all(path, ignored);
}

// Of the calling thread, those that need no disk: pages that were new to it, or protected.
uint64_t PageFaults() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_minflt);
}

// How often another process was given the processor of the calling thread, without its asking.
uint64_t Preemptions() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_nivcsw);
}

// Has the kernel write the journal's pages back all the time, as it does by itself once there are
// many, so that a short run meets what a long one does.
class Writeback {
 public:
  explicit Writeback(std::string dir) : dir_(std::move(dir)), thread_([this] { Run(); }) {}
  ~Writeback() {
    // Relaxed: nothing but the wish to end.
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }

 private:
  void Run() {
    // Relaxed: as above.
    for (int index = 0; !stop_.load(std::memory_order_relaxed);) {
      const auto path = [&](int i) { return absl::StrFormat("%s/%08d.seg", dir_, i); };
      // The last one in use: behind it there is one that was made ahead.
      while (access(path(index + 2).c_str(), F_OK) == 0) ++index;
      const int file = open(path(index).c_str(), O_RDWR | O_CLOEXEC);
      if (file >= 0) {
        fdatasync(file);
        close(file);
      }
      std::this_thread::yield();
    }
  }

  const std::string dir_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct TailRun {
  LatencyHistogram latencies;
  uint64_t elapsed_ns = 0;
  uint64_t stalls = 0;
  uint64_t faults = 0;
};

absl::StatusOr<TailRun> AppendOneByOne(const Context& context, uint64_t records) {
  const std::string dir = absl::StrCat(context.work_dir, "/append_tail");
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  const Frame frame = SealedFrame();
  TailRun run;
  absl::Status status;
  {
    const Writeback writeback(dir);
    const uint64_t faults_before = PageFaults();
    const uint64_t start = context.clock.Now();
    uint64_t before = start, preemptions = Preemptions();
    for (uint64_t i = 0; i < records; ++i) {
      if (journal->AppendFrame(frame.header) == Position::None()) {
        status = journal->last_refusal();
        break;
      }
      const uint64_t now = context.clock.Now();
      const uint64_t latency_ns = context.clock.NanosIn(now - before);
      run.latencies.Record(latency_ns);
      before = now;
      if (latency_ns <= kStallNs && i % kAskEvery != 0) continue;
      const uint64_t preemptions_now = Preemptions();
      if (latency_ns > kStallNs && preemptions_now == preemptions) ++run.stalls;
      preemptions = preemptions_now;
      before = context.clock.Now();
    }
    run.elapsed_ns = context.clock.NanosIn(before - start);
    run.faults = PageFaults() - faults_before;
  }
  if (status.ok()) status = journal->Close();
  RemoveAll(dir);
  if (!status.ok()) return status;
  return run;
}

// One run tells three rows: each takes from it once, and whoever comes again has it run anew.
class SharedTailRun {
 public:
  enum Row : size_t { kLatency, kStalls, kFaults, kRows };

  absl::StatusOr<const TailRun*> Take(Row row, const Context& context, uint64_t records) {
    if (is_taken_[row]) {
      auto run = AppendOneByOne(context, records);
      if (!run.ok()) return run.status();
      run_ = *std::move(run);
      is_taken_.fill(false);
    }
    is_taken_[row] = true;
    return &run_;
  }

 private:
  TailRun run_;
  std::array<bool, kRows> is_taken_{true, true, true};
};

SetUp TailRow(std::shared_ptr<SharedTailRun> shared, SharedTailRun::Row row) {
  return [shared = std::move(shared), row](const Context& context) -> absl::StatusOr<Body> {
    if (auto bytes = JournalBytes(); !bytes.ok()) return bytes.status();
    return [context, shared, row](uint64_t operations) -> absl::StatusOr<Sample> {
      const auto run = shared->Take(row, context, operations);
      if (!run.ok()) return run.status();
      const TailRun& result = **run;
      if (row == SharedTailRun::kStalls) {
        return Amount(static_cast<double>(result.stalls), result.elapsed_ns);
      }
      if (row == SharedTailRun::kFaults) {
        return Amount(static_cast<double>(result.faults), result.elapsed_ns);
      }
      return Latencies(result.elapsed_ns, result.latencies);
    };
  };
}

// The other way to keep page faults off the path: the thread that has something to append copies it
// into a ring, and a thread of the journal takes it from there.
absl::StatusOr<Sample> PushOneByOne(const Context& context, const Pair& pair, uint64_t records) {
  const std::string dir = absl::StrCat(context.work_dir, "/append_ring");
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  SpscLane<Frame> ring(kRingSlots);
  absl::Status status;
  LatencyHistogram latencies;
  const auto append = [&] {
    for (uint64_t next = 0; next < records;) {
      const uint64_t tail = ring.ReadTail();
      for (; next < tail; ++next) {
        if (journal->AppendFrame(ring.At(next).header) == Position::None() && status.ok()) {
          status = journal->last_refusal();
        }
      }
      ring.Release(next);
    }
  };
  const auto push = [&] {
    const Frame frame = SealedFrame();
    const uint64_t start = context.clock.Now();
    uint64_t before = start;
    for (uint64_t i = 0; i < records; ++i) {
      Frame* slot;
      while ((slot = ring.Claim()) == nullptr) {
      }
      *slot = frame;
      ring.Advance();
      ring.Publish();
      const uint64_t now = context.clock.Now();
      latencies.Record(context.clock.NanosIn(now - before));
      before = now;
    }
    return Amount(0, context.clock.NanosIn(before - start));
  };
  uint64_t elapsed_ns;
  {
    const Writeback writeback(dir);
    elapsed_ns = RunPair(pair, append, push).elapsed_ns;
  }
  if (status.ok()) status = journal->Close();
  RemoveAll(dir);
  if (!status.ok()) return status;
  return Latencies(elapsed_ns, std::move(latencies));
}

absl::StatusOr<Body> AppendRing(const Context& context) {
  if (auto bytes = JournalBytes(); !bytes.ok()) return bytes.status();
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [context, pair = *pair](uint64_t operations) {
    return PushOneByOne(context, pair, operations);
  };
}

absl::StatusOr<Sample> CountFirstTouches(const Context& context, uint64_t records) {
  const std::string dir = absl::StrCat(context.work_dir, "/first_touch");
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  const Frame frame = SealedFrame();
  uint64_t faults = 0, elapsed_ns = 0;
  absl::Status status;
  for (uint64_t done = 0; done < records && status.ok();) {
    const uint64_t pause_start = context.clock.Now();
    while (context.clock.NanosIn(context.clock.Now() - pause_start) < kCalmPauseNs) {
      std::this_thread::yield();
    }
    const uint64_t end = std::min(records, done + kCalmPieceBytes / kRecordBytes);
    const uint64_t faults_before = PageFaults();
    const uint64_t start = context.clock.Now();
    for (; done < end; ++done) {
      if (journal->AppendFrame(frame.header) == Position::None()) {
        status = journal->last_refusal();
        break;
      }
    }
    elapsed_ns += context.clock.NanosIn(context.clock.Now() - start);
    faults += PageFaults() - faults_before;
  }
  if (status.ok()) status = journal->Close();
  RemoveAll(dir);
  if (!status.ok()) return status;
  return Amount(static_cast<double>(faults), elapsed_ns);
}

absl::StatusOr<Body> FirstTouch(const Context& context) {
  return [context](uint64_t operations) { return CountFirstTouches(context, operations); };
}

}  // namespace

void RegisterPersistenceTailRows(Registry& registry) {
  // A wrong variable is told by the rows' set-up.
  const uint64_t records = JournalBytes().value_or(kJournalBytesUsual) / kRecordBytes;
  const auto shared = std::make_shared<SharedTailRun>();
  registry.Add(
      {.name = "persistence/append_tail",
       .operations_min = records,
       .operations_max = records,
       .note = "single appends of 128 bytes, each with a clock read, while their pages are "
               "written back"},
      TailRow(shared, SharedTailRun::kLatency));
  registry.Add({.name = "persistence/append_stalls",
                .unit = "appends",
                .operations_min = records,
                .operations_max = records,
                .note = "of append_tail's that took over 1 ms while nobody else had the processor"},
               TailRow(shared, SharedTailRun::kStalls));
  registry.Add(
      {.name = "persistence/append_faults",
       .unit = "faults",
       .operations_min = records,
       .operations_max = records,
       .note = "page faults of append_tail's thread: pages that were written back, or came "
               "too late"},
      TailRow(shared, SharedTailRun::kFaults));
  registry.Add({.name = "persistence/append_ring",
                .bases = {"persistence/append_tail"},
                .operations_min = records,
                .operations_max = records,
                .note = "the same into a ring of 4,096 slots, from which a journal thread appends"},
               AppendRing);
  registry.Add({.name = "persistence/append_first_touch",
                .unit = "faults",
                .operations_min = kCalmBytes / kRecordBytes,
                .operations_max = kCalmBytes / kRecordBytes,
                .note = "page faults of 32 MiB of appends, in pieces of 1 MiB with pauses of 3 ms"},
               FirstTouch);
}

}  // namespace bitactor::bench
