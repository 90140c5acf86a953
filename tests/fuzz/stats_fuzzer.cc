// Reads stats files that are laid over a whole one, some with checksums that match.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/stats_format.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

using bitactor::internal::StatsHeader;
using bitactor::internal::StatsLayout;
using bitactor::internal::StatsPlace;

constexpr uint64_t kShards = 64;  // mailboxes in small sections, so that the file is mostly rows
constexpr char kFile[] = "run/stats";

std::vector<std::byte> WholeFile() {
  SimulatedFiles files;
  TickClock clock(TickClock::Source::kManual, 1);
  FabricOptions options;
  options.shards = kShards;
  options.threads = false;
  options.clock = &clock;
  options.start_time_ns = 1;
  options.span_capacity = 2;
  options.lane_slots = 2;
  options.quarantine_frames = 1;
  options.stats_file = kFile;
  options.journal.files = &files;
  BITACTOR_CHECK(files.CreateDir("run").ok());
  const auto fabric = Fabric::Start(options).value();
  fabric->Intern("somebody");
  BITACTOR_CHECK(fabric->Stop().ok());
  return files.Read(kFile);
}

void FixHeader(std::vector<std::byte>& bytes) {
  StatsHeader header;
  std::memcpy(static_cast<void*>(&header), bytes.data(), sizeof(header));
  header.crc32c = header.Checksum();
  std::memcpy(bytes.data(), &header, sizeof(header));
}

// Both copies, as long as they say to be.
void FixSection(std::vector<std::byte>& bytes, const StatsPlace& place) {
  for (const uint64_t copy : {0, 1}) {
    std::byte* const at = bytes.data() + place.copy_at(copy) * sizeof(uint64_t);
    uint64_t head;
    std::memcpy(&head, at + sizeof(head), sizeof(head));
    const uint64_t words = (head >> 32) % (place.capacity_words + 1);
    const uint32_t crc =
        Crc32c(place.number, at + StatsPlace::kHeadWords * sizeof(head), words * sizeof(uint64_t));
    head = words << 32 | crc;
    std::memcpy(at + sizeof(head), &head, sizeof(head));
  }
}

// The first byte says which sections' checksums are made to match and whether the file is cut short,
// the next where the rest goes: the header, the totals, or the first shard's parts.
void Try(const uint8_t* data, size_t size_bytes) {
  static const std::vector<std::byte> whole = WholeFile();
  if (size_bytes < 2) return;
  const StatsLayout layout(kShards);
  const StatsPlace places[] = {layout.Totals(), layout.Counts(0), layout.Mailboxes(0)};
  std::vector<std::byte> bytes = whole;
  const uint8_t where = data[1] % 7;
  const size_t offset = where == 6 ? 0 : places[where / 2].copy_at(where % 2) * sizeof(uint64_t);
  for (size_t i = 2; i < size_bytes && offset + i - 2 < bytes.size(); ++i) {
    bytes[offset + i - 2] ^= static_cast<std::byte>(data[i]);
  }
  if ((data[0] & 1) != 0) FixHeader(bytes);
  for (size_t i = 0; i < std::size(places); ++i) {
    if ((data[0] >> (i + 1) & 1) != 0) FixSection(bytes, places[i]);
  }
  if ((data[0] & 0x80) != 0) bytes.resize(bytes.size() * data[1] / 256);
  SimulatedFiles files;
  BITACTOR_CHECK(files.CreateDir("run").ok());
  BITACTOR_CHECK(files.Open(kFile, FileSystem::OpenMode::kCreate).value()->WriteAt(0, bytes).ok());
  const absl::StatusOr<FabricReading> reading = ReadFabricStats(files, kFile);
  if (!reading.ok()) {
    BITACTOR_CHECK(absl::IsDataLoss(reading.status()) ||
                   absl::IsInvalidArgument(reading.status()) ||
                   absl::IsUnimplemented(reading.status()));
    return;
  }
  BITACTOR_CHECK_EQ(reading->shards.size(), kShards);
  reading->Counters();
  for (uint32_t i = 0; i < kShards; ++i) reading->SilentNs(i, reading->NowNs(data[0]));
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
