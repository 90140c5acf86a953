// l2/*: a message through the fabric, and the floor below it.
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/floor_loop.h"
#include "bench/rows.h"

namespace bitactor::bench {
namespace {

template <size_t kPayloadBytes>
absl::StatusOr<Body> Floor(const Context& context) {
  auto store =
      WarmMapping::Make(absl::StrCat(context.work_dir, "/floor_", kPayloadBytes), kWarmStoreBytes);
  if (!store.ok()) return store.status();
  auto loop = std::make_shared<FloorLoop<kPayloadBytes>>(context.clock, *std::move(store));
  return [loop](uint64_t operations) -> absl::StatusOr<Sample> {
    constexpr uint64_t kBatch = FloorLoop<kPayloadBytes>::kBatch;
    const Sample sample = loop->Run((operations + kBatch - 1) / kBatch * kBatch);
    if (loop->faults() != 0) {
      return absl::InternalError(
          absl::StrCat(loop->faults(), " messages arrived otherwise than they were sent"));
    }
    return sample;
  };
}

template <size_t kPayloadBytes>
void AddFloor(Registry& registry) {
  registry.Add({.name = absl::StrCat("l2/floor/", kPayloadBytes),
                .operations_min = 4096,
                .note = "hand-written loop: build, seal, check, store, span"},
               Floor<kPayloadBytes>);
}

}  // namespace

void RegisterL2MailboxRows(Registry& registry) {
  AddFloor<16>(registry);
  AddFloor<64>(registry);
  AddFloor<128>(registry);
}

}  // namespace bitactor::bench
