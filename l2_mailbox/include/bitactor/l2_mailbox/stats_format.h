// The bytes of a stats file.
#ifndef BITACTOR_L2_MAILBOX_STATS_FORMAT_H_
#define BITACTOR_L2_MAILBOX_STATS_FORMAT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/slot_table.h"
#include "bitactor/l2_mailbox/stats_section.h"

namespace bitactor::internal {

static_assert(std::endian::native == std::endian::little, "the file is little-endian");

inline constexpr uint64_t kStatsMagic =
    0x31305441'54535442;  // "BTSTAT01"; another version, another

// What a fabric that starts writes into, until there is something to read.
inline std::string UnshownStatsFile(const std::string& path) { return path + ".new"; }

// All words of 64 bits. Written once, before the file has its name.
struct StatsHeader {
  uint64_t magic = kStatsMagic;
  uint64_t file_bytes = 0;
  uint64_t shards = 0;
  // The rows have as many, so a file of a program with others is of another version.
  uint64_t dead_letter_causes = kDeadLetterCauses;
  uint64_t send_results = kSendResults;
  uint64_t pid = 0;
  uint64_t machine_boot_id = 0;
  uint64_t boot = 0;
  uint64_t start_ns = 0;
  uint64_t interval_ns = 0;
  uint64_t wall_offset_ns = 0;
  uint64_t crc32c = 0;  // of the words before

  uint64_t Checksum() const { return Crc32c(0, this, offsetof(StatsHeader, crc32c)); }
};

// Header, totals (FabricTotals, then PortStats), and for each shard a line with its awake_since_ns, its
// counts (ShardCounts, then LaneStats) and its mailboxes (swept_ns, then MailboxStats).
class StatsLayout {
 public:
  static constexpr size_t kHeaderWords = 16;
  static constexpr size_t kLineWords = 8;

  // REQUIRES: 1 <= shards <= kMaxShards.
  explicit StatsLayout(uint64_t shards) : shards_(shards) {}

  StatsPlace Totals() const {
    return {kHeaderWords, WordsOf<FabricTotals>() + kMaxPorts * WordsOf<PortStats>(), 0};
  }
  size_t AwakeAt(uint64_t shard) const { return Totals().end_words() + shard * ShardWords(); }
  StatsPlace Counts(uint64_t shard) const {
    return {AwakeAt(shard) + kLineWords, kCountsWords, static_cast<uint32_t>(1 + 2 * shard)};
  }
  StatsPlace Mailboxes(uint64_t shard) const {
    return {Counts(shard).end_words(), MailboxWords(), static_cast<uint32_t>(2 + 2 * shard)};
  }
  // Mailboxes that a shard can have.
  size_t mailbox_rows() const { return (SlotTable::kMaxMailboxes + shards_ - 1) / shards_; }
  size_t words() const { return Totals().end_words() + shards_ * ShardWords(); }

  template <typename T>
  static constexpr size_t WordsOf() {
    return sizeof(T) / sizeof(uint64_t);
  }

 private:
  static constexpr size_t kCountsWords =
      (sizeof(ShardCounts) + kMaxPorts * sizeof(LaneStats)) / sizeof(uint64_t);

  size_t MailboxWords() const { return 1 + mailbox_rows() * WordsOf<MailboxStats>(); }
  size_t ShardWords() const {
    const StatsPlace counts{0, kCountsWords};
    const StatsPlace mailboxes{0, MailboxWords()};
    return kLineWords + counts.end_words() + mailboxes.end_words();
  }

  const uint64_t shards_;
};

static_assert(sizeof(StatsHeader) <= StatsLayout::kHeaderWords * sizeof(uint64_t));

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_STATS_FORMAT_H_
