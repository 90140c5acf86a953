// l2/block/*: a payload over 128 bytes, from the sender's bytes to the receiver's handler, and beside
// it the one copy that it cannot do without.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor::bench {
namespace {

struct Bulk {
  static constexpr std::string_view kTypeName = "bench::Bulk";
};

// Blocks lie in places that were used before, as many as are on their way at once.
constexpr size_t kPlaces = 4;
constexpr uint64_t kJournalBytesMax = uint64_t{256} << 20;

Sample MicrosPerOperation(uint64_t elapsed_ns, uint64_t operations) {
  return {static_cast<double>(elapsed_ns) / 1000 / static_cast<double>(operations), elapsed_ns};
}

absl::StatusOr<Body> Copy(const Context& context, size_t size_bytes) {
  const auto from = std::make_shared<std::vector<std::byte>>(size_bytes, std::byte{1});
  const auto places = std::make_shared<std::vector<std::byte>>(size_bytes * kPlaces);
  return [&clock = context.clock, size_bytes, from,
          places](uint64_t operations) -> absl::StatusOr<Sample> {
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      std::byte* const to = places->data() + i % kPlaces * size_bytes;
      std::memcpy(to, from->data(), size_bytes);
      DoNotOptimize(*to);
    }
    return MicrosPerOperation(clock.NanosIn(clock.Now() - start), operations);
  };
}

absl::StatusOr<Body> Way(const Context& context, size_t size_bytes, bool durable) {
  return [&context, size_bytes, durable](uint64_t operations) -> absl::StatusOr<Sample> {
    const std::string dir = durable ? absl::StrCat(context.work_dir, "/blocks") : "";
    if (durable) std::filesystem::remove_all(dir);
    FabricOptions options;
    options.threads = false;
    options.clock = &context.clock;
    options.journal_dir = dir;
    auto fabric = Fabric::Start(options);
    if (!fabric.ok()) return fabric.status();
    uint64_t handled_bytes = 0;
    const Address store = (*fabric)->Serve(
        "store", [&](const Message& m, Sender&) { handled_bytes += m.bytes().size(); });
    const std::vector<std::byte> bytes(size_bytes, std::byte{1});
    Sample sample{};
    {
      Port port = (*fabric)->OpenPort();
      uint64_t refused = 0;
      const auto pump = [&](uint64_t messages) {
        for (uint64_t i = 0; i < messages; ++i) {
          refused += port.SendBytes<Bulk>(store, bytes) != SendResult::kOk;
          while (handled_bytes < (i + 1) * size_bytes) (*fabric)->Poll();
        }
        handled_bytes = 0;
      };
      pump(kPlaces);
      const uint64_t start = context.clock.Now();
      pump(operations);
      sample = MicrosPerOperation(context.clock.NanosIn(context.clock.Now() - start), operations);
      if (refused != 0) return absl::InternalError(absl::StrCat(refused, " blocks were refused"));
    }
    if (!(*fabric)->Counters().AddUp()) return absl::InternalError("the counters do not add up");
    if (absl::Status status = (*fabric)->Stop(); !status.ok()) return status;
    fabric->reset();
    std::error_code ignored;
    if (durable) std::filesystem::remove_all(dir, ignored);
    return sample;
  };
}

void AddSize(Registry& registry, const char* name, size_t size_bytes) {
  const std::string floor = absl::StrCat("l2/block_copy/", name);
  registry.Add({.name = floor, .unit = "us", .note = "the bytes copied once, to warm places"},
               [size_bytes](const Context& context) { return Copy(context, size_bytes); });
  registry.Add({.name = absl::StrCat("l2/block/", name),
                .unit = "us",
                .bases = {floor},
                .note = "copied into a block, sealed, sent, checked, delivered"},
               [size_bytes](const Context& context) { return Way(context, size_bytes, false); });
  registry.Add({.name = absl::StrCat("l2/block_durable/", name),
                .unit = "us",
                .bases = {floor},
                .operations_max = kJournalBytesMax / size_bytes,
                .note = "the same, journalled at level process before it is handled"},
               [size_bytes](const Context& context) { return Way(context, size_bytes, true); });
}

}  // namespace

void RegisterBlockRows(Registry& registry) {
  AddSize(registry, "4KiB", size_t{4} << 10);
  AddSize(registry, "64KiB", size_t{64} << 10);
  AddSize(registry, "1MiB", size_t{1} << 20);
}

}  // namespace bitactor::bench
