// l2/*: messages between two shards on two processors, beside machine/spsc_*, which pass bare frames.
#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/cpu_pair.h"
#include "bench/payload.h"
#include "bench/rows.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/placement.h"
#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor::bench {
namespace {

constexpr uint64_t kWarmUpTrips = 1'000;
constexpr uint64_t kWarmUpMessages = 32'768;
constexpr uint64_t kSendsPerDispatch = 16;  // of the source, which then lets its shard go round

// What the source of a stream tells itself: there is more to send.
struct More {
  static constexpr std::string_view kTypeName = "bench::More";
  uint64_t left;
};

// A fabric of two shards, each with its thread on a processor of its own, and a name on each.
class TwoShards {
 public:
  static absl::StatusOr<std::unique_ptr<TwoShards>> Start(const Context& context, const Pair& pair,
                                                          std::string journal_dir) {
    auto two = std::unique_ptr<TwoShards>(new TwoShards);
    two->journal_dir_ = std::move(journal_dir);
    // A journal of its own for every run: it grows with every message and is removed afterwards.
    if (!two->journal_dir_.empty()) std::filesystem::remove_all(two->journal_dir_);
    FabricOptions options;
    options.shards = 2;
    options.clock = &context.clock;
    options.journal_dir = two->journal_dir_;
    auto fabric = Fabric::Start(std::move(options));
    if (!fabric.ok()) return fabric.status();
    two->fabric_ = *std::move(fabric);
    const std::array<int, 2> cpus = {pair.here, pair.there};
    for (uint32_t shard = 0; shard < 2; ++shard) {
      absl::Status pinned;
      two->fabric_->RunOnShard(shard, [&] { pinned = PinThisThread(cpus[shard]); });
      if (!pinned.ok()) return pinned;
      std::string& name = two->names_[shard];
      for (int i = 0; name.empty(); ++i) {
        const std::string candidate = absl::StrCat("end", i);
        if (two->fabric_->ShardOf(two->fabric_->Intern(candidate).id) == shard) name = candidate;
      }
    }
    return two;
  }
  ~TwoShards() {
    fabric_.reset();
    std::error_code ignored;
    if (!journal_dir_.empty()) std::filesystem::remove_all(journal_dir_, ignored);
  }

  // Handles what comes to the name on this shard.
  Address Serve(uint32_t shard, Fabric::Handler handler) {
    return fabric_->Serve(names_[shard], std::move(handler));
  }
  Address AddressOn(uint32_t shard) { return fabric_->Intern(names_[shard]); }
  // Sends `first` and waits for Finish().
  template <typename M>
  absl::Status Run(Address to, const M& first) {
    Port port = fabric_->OpenPort();
    if (port.Send(to, first) != SendResult::kOk) return absl::InternalError("nothing was sent");
    finished_.Wait();
    return absl::OkStatus();
  }
  // A handler's word that all is measured.
  void Finish() { finished_.Notify(); }
  // What is there when all has been handled: nothing is lost.
  absl::Status Close() {
    fabric_->WaitIdle();
    const FabricCounters counters = fabric_->Counters();
    if (!counters.AddUp() || counters.dead_letters_total() != 0) {
      return absl::InternalError("the counters do not add up");
    }
    return fabric_->Stop();
  }

 private:
  TwoShards() = default;

  std::string journal_dir_;
  std::unique_ptr<Fabric> fabric_;
  std::array<std::string, 2> names_;
  Notification finished_;
};

// One message goes to and fro; one clock reading a trip.
template <size_t kBytes>
absl::StatusOr<Body> RoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&context, pair = *pair](uint64_t operations) -> absl::StatusOr<Sample> {
    auto started = TwoShards::Start(context, pair, "");
    if (!started.ok()) return started.status();
    TwoShards& two = **started;
    const TickClock& clock = context.clock;
    const Address here = two.AddressOn(0);
    const Address there = two.Serve(
        1, [here](const Message& m, Sender& out) { out.Send(here, m.As<Payload<kBytes>>()); });
    LatencyHistogram latencies;
    uint64_t trips = 0;
    uint64_t start = 0;
    uint64_t before = 0;
    two.Serve(0, [&](const Message& m, Sender& out) {
      const uint64_t now = clock.Now();
      if (trips == kWarmUpTrips) start = now;
      if (trips > kWarmUpTrips) latencies.Record(clock.NanosIn(now - before));
      before = now;
      if (trips++ == kWarmUpTrips + operations) return two.Finish();
      out.Send(there, m.As<Payload<kBytes>>());
    });
    if (absl::Status status = two.Run(here, Payload<kBytes>{}); !status.ok()) return status;
    if (absl::Status status = two.Close(); !status.ok()) return status;
    return Latencies(clock.NanosIn(before - start), std::move(latencies));
  };
}

// The rate of a stream from one shard to the other, journalled by both; and then, when `hops` says
// so, what one message takes at half of that rate, from before its send to its handler.
template <size_t kBytes>
class DurableStream {
 public:
  static absl::StatusOr<Sample> Run(const Context& context, const Pair& pair, uint64_t messages,
                                    uint64_t hops) {
    const std::string dir = absl::StrCat(context.work_dir, "/stream_", kBytes);
    auto started = TwoShards::Start(context, pair, dir);
    if (!started.ok()) return started.status();
    DurableStream stream(context.clock, **started, messages, hops);
    return stream.Measure();
  }

 private:
  DurableStream(const TickClock& clock, TwoShards& two, uint64_t messages, uint64_t hops)
      : clock_(clock), two_(two), full_(kWarmUpMessages + messages), all_(full_ + hops) {}

  absl::StatusOr<Sample> Measure() {
    const Address source = two_.AddressOn(0);
    sink_ = two_.Serve(1, [this](const Message& m, Sender&) { Take(m); });
    two_.Serve(0, [this, source](const Message&, Sender& out) { Give(source, out); });
    if (absl::Status status = two_.Run(source, More{all_}); !status.ok()) return status;
    if (absl::Status status = two_.Close(); !status.ok()) return status;
    const uint64_t elapsed_ns = clock_.NanosIn(end_ - start_);
    if (all_ > full_) {
      return Latencies(clock_.NanosIn(last_hop_ - end_), std::move(latencies_));
    }
    return MillionsPerSecond(elapsed_ns, full_ - kWarmUpMessages);
  }

  // The source's shard.
  void Give(Address source, Sender& out) {
    for (uint64_t i = 0; i < kSendsPerDispatch && given_ < full_; ++i) Send(out, 0);
    // Relaxed: the sink's word of how long to wait; the start of the second part is not timed.
    const uint64_t interval = interval_.load(std::memory_order_relaxed);
    if (given_ >= full_ && given_ < all_ && interval != 0) {
      const uint64_t now = clock_.Now();
      if (due_ == 0) due_ = now;
      if (now >= due_) {
        due_ += interval;
        Send(out, now);
      }
    }
    if (given_ < all_) out.Send(source, More{all_ - given_});
  }
  void Send(Sender& out, uint64_t now) {
    Payload<kBytes> payload{};
    payload.words[0] = given_++;
    payload.words[1] = now;
    out.Send(sink_, payload);
  }

  // The sink's shard.
  void Take(const Message& m) {
    const auto payload = m.As<Payload<kBytes>>();
    const uint64_t number = payload.words[0];
    if (number == kWarmUpMessages) start_ = clock_.Now();
    if (number >= full_) {
      last_hop_ = clock_.Now();
      latencies_.Record(clock_.NanosIn(last_hop_ - payload.words[1]));
    }
    if (number + 1 == full_) {
      end_ = clock_.Now();
      // Relaxed: see Give().
      interval_.store(2 * (end_ - start_) / (full_ - kWarmUpMessages) + 1,
                      std::memory_order_relaxed);
    }
    if (number + 1 == all_) two_.Finish();
  }

  const TickClock& clock_;
  TwoShards& two_;
  const uint64_t full_;  // messages that are sent as fast as they go
  const uint64_t all_;   // and those at half of that rate
  Address sink_;
  // The source's shard alone.
  uint64_t given_ = 0;
  uint64_t due_ = 0;
  // Cycles between two sends at half of the rate; 0: not known yet. Written by the sink.
  alignas(kCacheLineBytes) std::atomic<uint64_t> interval_{0};
  // The sink's shard alone, until it has said that all is measured.
  alignas(kCacheLineBytes) uint64_t start_ = 0;
  uint64_t end_ = 0;
  uint64_t last_hop_ = 0;
  LatencyHistogram latencies_;
};

template <size_t kBytes>
absl::StatusOr<Body> Throughput(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&context, pair = *pair](uint64_t operations) {
    return DurableStream<kBytes>::Run(context, pair, operations, 0);
  };
}

template <size_t kBytes>
absl::StatusOr<Body> HopAtHalfLoad(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&context, pair = *pair](uint64_t operations) {
    return DurableStream<kBytes>::Run(context, pair, operations, operations);
  };
}

template <size_t kBytes>
void AddRows(Registry& registry) {
  registry.Add({.name = absl::StrCat("l2/cross_core_rtt/", kBytes),
                .bases = {"machine/spsc_rtt"},
                .operations_min = 1000,
                .note = "between mailboxes of two pinned shards; no journal"},
               RoundTrip<kBytes>);
  registry.Add({.name = absl::StrCat("l2/throughput_2_shards/", kBytes),
                .unit = "M msg/s",
                .better = Better::kHigher,
                .bases = {"machine/spsc_throughput"},
                .operations_min = 100'000,
                .operations_max = 1'000'000,
                .note = "one way between mailboxes of two pinned shards, journalled"},
               Throughput<kBytes>);
}

}  // namespace

void RegisterCrossCoreRows(Registry& registry) {
  AddRows<16>(registry);
  AddRows<64>(registry);
  AddRows<128>(registry);
  registry.Add({.name = "l2/hop_at_half_load/64",
                .operations_min = 100'000,
                .operations_max = 500'000,
                .note = "one way, journalled, at half of the rate measured just before"},
               HopAtHalfLoad<64>);
}

}  // namespace bitactor::bench
