// l2/*: a message's whole way through one shard, in batches of 16, and the routing of an id.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/payload.h"
#include "bench/rows.h"
#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor::bench {
namespace {

constexpr uint64_t kBatch = 16;
constexpr uint64_t kWarmUpMessages = 65'536;

// One shard that this thread drives, with everything on; the journal only if `journal_dir` says so.
absl::StatusOr<std::unique_ptr<Fabric>> StartFabric(const TickClock& clock, std::string journal_dir,
                                                    double sampling_ratio) {
  FabricOptions options;
  options.threads = false;
  options.clock = &clock;
  options.journal_dir = std::move(journal_dir);
  options.sampling.ratio = sampling_ratio;
  return Fabric::Start(options);
}

// Sends `messages` in batches and drives the shard until each batch is handled.
template <size_t kBytes>
void Pump(Fabric& fabric, Port& port, Address store, uint64_t& handled, uint64_t messages) {
  Payload<kBytes> payload{};
  const uint64_t end = handled + messages;
  for (uint64_t sent = handled; sent < end; sent += kBatch) {
    for (uint64_t i = 0; i < kBatch; ++i) {
      payload.words[0] = sent + i;
      port.Post(store, payload);
    }
    port.Flush();
    while (handled < sent + kBatch) fabric.Poll();
  }
}

template <size_t kBytes>
absl::StatusOr<Body> Way(const Context& context, bool durable, double sampling_ratio = 1) {
  return [&context, durable, sampling_ratio](uint64_t operations) -> absl::StatusOr<Sample> {
    // A journal of its own for every run: it grows with every message and is removed afterwards.
    const std::string dir = durable ? absl::StrCat(context.work_dir, "/journal_", kBytes) : "";
    if (durable) std::filesystem::remove_all(dir);
    auto fabric = StartFabric(context.clock, dir, sampling_ratio);
    if (!fabric.ok()) return fabric.status();
    uint64_t handled = 0;
    uint64_t sum = 0;
    const Address store = (*fabric)->Serve("store", [&](const Message& m, Sender&) {
      sum += m.As<Payload<kBytes>>().words[0];
      ++handled;
    });
    Sample sample{};
    {
      Port port = (*fabric)->OpenPort();
      Pump<kBytes>(**fabric, port, store, handled, kWarmUpMessages);
      operations = (operations + kBatch - 1) / kBatch * kBatch;
      const uint64_t start = context.clock.Now();
      Pump<kBytes>(**fabric, port, store, handled, operations);
      sample = NsPerOperation(context.clock.NanosIn(context.clock.Now() - start), operations);
    }
    DoNotOptimize(sum);
    if (!(*fabric)->Counters().AddUp()) return absl::InternalError("the counters do not add up");
    if (absl::Status status = (*fabric)->Stop(); !status.ok()) return status;
    fabric->reset();
    std::error_code ignored;
    if (durable) std::filesystem::remove_all(dir, ignored);
    return sample;
  };
}

// What a port asks at each send, among 1,024 mailboxes. `changing`: another one joins and leaves all
// the time.
absl::StatusOr<Body> Route(const Context& context, bool changing) {
  constexpr uint32_t kMailboxes = 1024;
  FabricOptions options;
  options.mailboxes = kMailboxes;
  options.clock = &context.clock;
  auto started = Fabric::Start(std::move(options));
  if (!started.ok()) return started.status();
  return [&clock = context.clock, changing, fabric = std::shared_ptr<Fabric>(*std::move(started))](
             uint64_t operations) -> absl::StatusOr<Sample> {
    absl::Status changes;
    Sample sample{};
    {
      std::jthread changer;
      if (changing) {
        changer = std::jthread([&](std::stop_token stop) {
          while (!stop.stop_requested()) {
            changes.Update(fabric->AddMailbox(kMailboxes));
            changes.Update(fabric->RemoveMailbox(kMailboxes));
          }
        });
      }
      uint32_t id = 1;
      const uint64_t start = clock.Now();
      for (uint64_t i = 0; i < operations; ++i) {
        DoNotOptimize(fabric->ShardOf(ActorId{id}));
        id += 7;
      }
      sample = NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
    }
    if (!changes.ok()) return changes;
    return sample;
  };
}

template <size_t kBytes>
void AddWays(Registry& registry) {
  registry.Add({.name = absl::StrCat("l2/volatile/", kBytes),
                .operations_max = 4'000'000,
                .note = "checked, merged, traced, delivered; no journal"},
               [](const Context& context) { return Way<kBytes>(context, false); });
  registry.Add({.name = absl::StrCat("l2/durable/", kBytes),
                .operations_min = 100'000,
                .operations_max = 1'000'000,
                .note = "the same, journalled at level process before it is handled"},
               [](const Context& context) { return Way<kBytes>(context, true); });
}

}  // namespace

void RegisterFabricRows(Registry& registry) {
  registry.Add({.name = "l2/route", .note = "an id to its shard, among 1,024 mailboxes"},
               [](const Context& context) { return Route(context, false); });
  registry.Add({.name = "l2/route_changing",
                .note = "the same while another mailbox joins and leaves all the time"},
               [](const Context& context) { return Route(context, true); });
  AddWays<16>(registry);
  AddWays<64>(registry);
  AddWays<128>(registry);
  registry.Add(
      {.name = "l2/volatile_unsampled/64",
       .operations_max = 4'000'000,
       .note = "as l2/volatile/64, of traces that are not sampled: no spans"},
      [](const Context& context) { return Way<64>(context, false, /*sampling_ratio=*/0); });
}

}  // namespace bitactor::bench
