// The file in which a fabric publishes what it is doing.
#ifndef BITACTOR_L2_MAILBOX_STATS_FILE_H_
#define BITACTOR_L2_MAILBOX_STATS_FILE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/stats_format.h"
#include "bitactor/l2_mailbox/stats_section.h"

namespace bitactor::internal {

// Threads: a shard's sections are its publisher's; PublishTotals() and AddPort(), any.
// Bounds: a fixed size, taken at the start: 0.5 to 2 MiB, of which pages without rows are not touched.
// Ownership: the fabric's; ports and state outlive it.
// Errors: Create(): kUnavailable: another fabric publishes there, with its owner; else those of the
//   file system. Afterwards none: the space is taken.
class StatsFile {
 public:
  // Beside `path`, until Show() gives it the name: a reader of the run before sees that one until
  // then. Holds `path`.lock from here on.
  static absl::StatusOr<std::unique_ptr<StatsFile>> Create(FileSystem& files,
                                                           const std::string& path,
                                                           const FabricState* state,
                                                           uint64_t start_ns, uint64_t interval_ns);
  absl::Status Show();

  StatsSection CountsOf(uint32_t shard) { return {words(), layout_.Counts(shard)}; }
  StatsSection MailboxesOf(uint32_t shard) { return {words(), layout_.Mailboxes(shard)}; }
  // Whether a shard sleeps (0), or since when it does not. Its thread.
  void SetAwakeSince(uint32_t shard, uint64_t now_ns) {
    // Relaxed: a sign of life, which orders nothing.
    StatsWord(words() + layout_.AwakeAt(shard)).store(now_ns, std::memory_order_relaxed);
  }
  size_t mailbox_rows() const { return layout_.mailbox_rows(); }

  // Ports are listed from here on and for good.
  void AddPort(const PortCore* port) {
    // SYNC(stats-ports): pairs with WriteTotals(); a port is built before it is read.
    ports_[port->index()].store(port, std::memory_order_release);
  }
  // Whoever comes while another thread publishes leaves it to that one, which begins again: so what
  // was counted before the last call is in the file when nobody is at it any more.
  void PublishTotals(uint64_t now_ns);
  // The last publication; another fabric may have the name from here on. REQUIRES: no other thread
  // publishes.
  void PublishEnd(uint64_t now_ns) {
    ended_ns_ = now_ns;
    PublishTotals(now_ns);
    lock_.reset();
  }

 private:
  StatsFile(FileSystem& files, std::string path, const FabricState* state)
      : files_(files), path_(std::move(path)), state_(state), layout_(state->shards) {}

  absl::Status Make(const StatsHeader& header);
  uint64_t* words() { return reinterpret_cast<uint64_t*>(mapping_->data()); }
  void WriteTotals(uint64_t now_ns);

  // Immutable once there.
  FileSystem& files_;
  const std::string path_;
  const FabricState* const state_;
  const StatsLayout layout_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Mapping> mapping_;

  std::array<std::atomic<const PortCore*>, kMaxPorts> ports_{};
  // Calls of PublishTotals() that are not served; who makes it 1 serves them all.
  // SYNC(stats-totals)
  std::atomic<uint64_t> requests_{0};
  // Of whoever serves.
  std::unique_ptr<StatsSection> totals_;
  uint64_t ended_ns_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_STATS_FILE_H_
