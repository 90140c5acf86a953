// l1/* rows about queues: what a signal costs in one, and between two threads.
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "bench/cpu_pair.h"
#include "bench/l1_quotes.h"
#include "bench/rows.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/mpsc_signal_queue.h"
#include "bitactor/l1_core/signal_queue.h"

namespace bitactor::bench {
namespace {

// Takes batches of 16 that `producer` pushes, all on this thread.
template <typename Queue, typename Producer>
absl::StatusOr<Sample> Batches(const TickClock& clock, Queue& queue, Producer& producer,
                               uint64_t operations) {
  operations = (operations + kBatch - 1) / kBatch * kBatch;
  uint64_t seen = 0;
  const uint64_t start = clock.Now();
  for (uint64_t i = 0; i < operations; i += kBatch) {
    for (uint64_t j = 0; j < kBatch; ++j) producer.Emplace(kQuote, Quote{1, i + j, 10});
    const uint64_t tail = queue.tail();
    for (uint64_t k = queue.head(); k < tail; ++k) seen += queue.At(k).template As<Quote>().symbol;
    queue.Release(tail);
  }
  const Sample sample = NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
  if (seen != operations) return absl::InternalError("the queue lost signals");
  return sample;
}

absl::StatusOr<Body> OneProducer(const Context& context) {
  return [&clock = context.clock](uint64_t operations) -> absl::StatusOr<Sample> {
    SignalQueue queue;
    return Batches(clock, queue, queue, operations);
  };
}

absl::StatusOr<Body> ManyProducers(const Context& context) {
  return [&clock = context.clock](uint64_t operations) -> absl::StatusOr<Sample> {
    MpscSignalQueue queue(MpscSignalQueue::kDefaultCapacity, 1);
    auto producer = queue.AddProducer();
    return Batches(clock, queue, *producer, operations);
  };
}

// Spins until there is a signal, takes it and gives its slot back.
uint64_t Take(SignalQueue& queue) {
  while (queue.empty()) {
  }
  const uint64_t index = queue.head();
  const uint64_t price = queue.At(index).As<Quote>().price;
  queue.Release(index + 1);
  return price;
}

// There through `push`, back through a queue: `partner` answers each signal.
template <typename Push, typename Partner>
absl::StatusOr<Sample> RoundTrips(const TickClock& clock, const Pair& pair, SignalQueue& back,
                                  Push push, Partner partner, uint64_t round_trips) {
  bool in_order = true;
  const Sample sample = RunPair(pair, partner, [&] {
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < round_trips; ++i) {
      push(Quote{1, i, 10});
      in_order = Take(back) == i && in_order;
    }
    return NsPerOperation(clock.NanosIn(clock.Now() - start), round_trips);
  });
  if (!in_order) return absl::InternalError("a signal came out of order");
  return sample;
}

absl::StatusOr<Body> QueueRoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&clock = context.clock, pair = *pair](uint64_t operations) -> absl::StatusOr<Sample> {
    SignalQueue there, back;
    return RoundTrips(
        clock, pair, back, [&](const Quote& quote) { there.Emplace(kQuote, quote); },
        [&] {
          for (uint64_t i = 0; i < operations; ++i) back.Emplace(kQuote, Quote{1, Take(there), 10});
        },
        operations);
  };
}

absl::StatusOr<Body> HandlerRoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&clock = context.clock, pair = *pair](uint64_t operations) -> absl::StatusOr<Sample> {
    Engine engine(EngineOptions{.clock = &clock});
    SignalQueue back;
    engine.On(kQuote, [&back](const Signal& signal, bitactor::Context&) {
      back.Emplace(kQuote, signal.As<Quote>());
    });
    return RoundTrips(
        clock, pair, back, [&](const Quote& quote) { engine.Push(Signal::Of(kQuote, quote)); },
        [&] {
          for (uint64_t handled = 0; handled < operations;) handled += engine.Poll();
        },
        operations);
  };
}

}  // namespace

void RegisterL1QueueRows(Registry& registry) {
  registry.Add({.name = "l1/enqueue", .note = "built in place and read, batches of 16, one thread"},
               OneProducer);
  registry.Add({.name = "l1/enqueue_mpsc", .note = "as l1/enqueue, queue of many producers"},
               ManyProducers);
  registry.Add({.name = "l1/enqueue_rtt",
                .bases = {"machine/two_lines_rtt", "machine/cacheline_rtt"},
                .operations_min = 1000,
                .note = "two signal queues, two pinned spinning threads"},
               QueueRoundTrip);
  registry.Add({.name = "l1/handler_rtt",
                .bases = {"machine/two_lines_rtt", "machine/cacheline_rtt"},
                .operations_min = 1000,
                .note = "to a handler of a polling engine and back, metering on"},
               HandlerRoundTrip);
}

}  // namespace bitactor::bench
