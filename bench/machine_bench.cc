// machine/*: what this machine charges for the things that the rows above it are made of.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bench/warm_mapping.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPageBytes = 4096;

// Runs `operation(i)` back to back.
template <typename Operation>
Sample TimeLoop(const TickClock& clock, uint64_t operations, Operation operation) {
  const uint64_t start = clock.Now();
  for (uint64_t i = 0; i < operations; ++i) operation(i);
  return NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
}

absl::StatusOr<Body> ReadClock(const Context& context) {
  return [&clock = context.clock](uint64_t operations) -> absl::StatusOr<Sample> {
    return TimeLoop(clock, operations, [&](uint64_t) { DoNotOptimize(clock.Now()); });
  };
}

struct alignas(64) Block {
  std::array<std::byte, 192> bytes{};
};

absl::StatusOr<Body> Crc192(const Context& context) {
  return [&clock = context.clock,
          block = std::make_shared<Block>()](uint64_t operations) -> absl::StatusOr<Sample> {
    return TimeLoop(clock, operations, [&](uint64_t) {
      ClobberMemory();
      DoNotOptimize(Crc32c(0, block->bytes.data(), block->bytes.size()));
    });
  };
}

absl::StatusOr<Body> Memcpy192(const Context& context) {
  return [&clock = context.clock, blocks = std::make_shared<std::array<Block, 2>>()](
             uint64_t operations) -> absl::StatusOr<Sample> {
    return TimeLoop(clock, operations, [&](uint64_t) {
      (*blocks)[1] = (*blocks)[0];
      ClobberMemory();
    });
  };
}

// Much more than the caches keep, so that it is memory that is copied.
constexpr size_t kBandwidthBytes = size_t{256} << 20;

absl::StatusOr<Body> MemcpyBandwidth(const Context& context) {
  // Written, so that each page is one of its own.
  const auto blocks = std::make_shared<std::array<std::vector<std::byte>, 2>>();
  for (auto& block : *blocks) block.assign(kBandwidthBytes, std::byte{1});
  return [&clock = context.clock, blocks](uint64_t operations) -> absl::StatusOr<Sample> {
    const Sample sample = TimeLoop(clock, operations, [&](uint64_t) {
      std::memcpy((*blocks)[1].data(), (*blocks)[0].data(), kBandwidthBytes);
      ClobberMemory();
    });
    return Amount(kBandwidthBytes / sample.value, sample.elapsed_ns);
  };
}

// First store to each page of a file whose space was just allocated: made anew for every run,
// outside the time.
constexpr size_t kFaultPages = 16384;

absl::StatusOr<Sample> TouchNewPages(const Context& context, uint64_t pages) {
  const std::string path = absl::StrCat(context.work_dir, "/page_fault");
  const size_t size_bytes = pages * kPageBytes;
  const auto file = MakeAllocatedFile(path, size_bytes);
  if (!file.ok()) return file.status();
  void* data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
  const int error = errno;
  close(*file);  // the mapping keeps the file
  if (data == MAP_FAILED) {
    return absl::InternalError(absl::StrCat("cannot map '", path, "': ", std::strerror(error)));
  }
  auto* bytes = static_cast<volatile unsigned char*>(data);
  const Sample sample =
      TimeLoop(context.clock, pages, [bytes](uint64_t i) { bytes[i * kPageBytes] = 1; });
  munmap(data, size_bytes);
  unlink(path.c_str());
  return sample;
}

absl::StatusOr<Body> PageFault(const Context& context) {
  return [context](uint64_t operations) { return TouchNewPages(context, operations); };
}

// Overwrites the same 4 KiB of a file that has its blocks, and waits until they are stored.
absl::StatusOr<Sample> SyncOverwrites(const TickClock& clock, int file, uint64_t operations) {
  std::array<char, kPageBytes> page{};
  LatencyHistogram latencies;
  const uint64_t start = clock.Now();
  uint64_t before = start;
  for (uint64_t i = 0; i < operations; ++i) {
    page.fill(static_cast<char>(i));
    if (pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size()) ||
        fdatasync(file) != 0) {
      return absl::InternalError(absl::StrCat("cannot store 4096 bytes: ", std::strerror(errno)));
    }
    const uint64_t now = clock.Now();
    latencies.Record(clock.NanosIn(now - before));
    before = now;
  }
  return Latencies(clock.NanosIn(before - start), std::move(latencies));
}

absl::StatusOr<Body> Fdatasync(const Context& context) {
  const auto made = MakeAllocatedFile(absl::StrCat(context.work_dir, "/fdatasync"), kPageBytes);
  if (!made.ok()) return made.status();
  const std::shared_ptr<int> file(new int(*made), [](const int* open_file) {
    close(*open_file);
    delete open_file;
  });
  return [&clock = context.clock, file](uint64_t operations) {
    return SyncOverwrites(clock, *file, operations);
  };
}

// What a handler that fails costs before anything of ours runs.
[[gnu::noinline]] void Throw() { throw std::runtime_error("thrown on purpose"); }
[[gnu::noinline]] void ThrowTwoDown() {
  Throw();
  ClobberMemory();  // keeps the call from becoming a jump, which would leave one frame out
}
[[gnu::noinline]] void ThrowThreeDown() {
  ThrowTwoDown();
  ClobberMemory();
}

absl::StatusOr<Body> ThrowAndCatch(const Context& context) {
  return [&clock = context.clock](uint64_t operations) -> absl::StatusOr<Sample> {
    return TimeLoop(clock, operations, [](uint64_t) {
      try {
        ThrowThreeDown();
      } catch (const std::runtime_error& error) {
        DoNotOptimize(error.what());
      }
    });
  };
}

}  // namespace

void RegisterMachineRows(Registry& registry) {
  registry.Add({.name = "machine/rdtsc", .note = "TickClock::Now()"}, ReadClock);
  registry.Add({.name = "machine/crc32c_192", .note = "one warm block, independent checksums"},
               Crc192);
  registry.Add({.name = "machine/memcpy_192", .note = "both blocks in the first cache"}, Memcpy192);
  registry.Add({.name = "machine/memcpy_bandwidth",
                .unit = "GB/s",
                .better = Better::kHigher,
                .note = "bytes copied, 256 MiB at a time"},
               MemcpyBandwidth);
  registry.Add({.name = "machine/page_fault",
                .operations_min = kFaultPages / 16,
                .operations_max = kFaultPages,
                .note = "first store to a page of an allocated file"},
               PageFault);
  registry.Add({.name = "machine/fdatasync",
                .operations_max = 10'000,
                .note = "4 KiB overwritten in place, write included"},
               Fdatasync);
  registry.Add({.name = "machine/throw", .note = "runtime_error caught three frames up"},
               ThrowAndCatch);
}

}  // namespace bitactor::bench
