// One journal as its committer sees it: a tail that moves, and files to be synced.
#ifndef BITACTOR_PERSISTENCE_COMMIT_MEMBER_H_
#define BITACTOR_PERSISTENCE_COMMIT_MEMBER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "segment_store.h"

namespace bitactor::internal {

// Threads: the committing one, but for acknowledged().
class CommitMember {
 public:
  // What is before `synced` is on the disk, what is before `acknowledged` in a cut. `tail` is the
  // writer's and outlives the membership.
  CommitMember(FileSystem& files, std::string dir, uint32_t owner_number, uint64_t segment_units,
               const std::atomic<uint64_t>& tail, uint64_t synced, uint64_t acknowledged);

  uint32_t owner_number() const { return owner_number_; }
  const std::string& dir() const { return dir_; }
  uint64_t acknowledged() const {
    // SYNC(journal-durable): pairs with Acknowledge(); what is before it survives a power loss.
    return acknowledged_.load(std::memory_order_acquire);
  }
  void Acknowledge(uint64_t position) {
    // SYNC(journal-durable): pairs with acknowledged().
    acknowledged_.store(position, std::memory_order_release);
  }

  bool open() const { return tail_ != nullptr; }
  void Leave() { tail_ = nullptr; }
  // What was appended until now. REQUIRES: open().
  uint64_t ReadTail() {
    // SYNC(journal-tail): pairs with JournalWriter::Store().
    seen_ = tail_->load(std::memory_order_acquire);
    return seen_;
  }
  uint64_t seen() const { return seen_; }
  // Of the records that were appended behind seen() by now; the greatest number if there is none.
  absl::StatusOr<uint64_t> LeastStampBehindSeen();
  // The end of the longest beginning before seen() whose stamps are all below `bound`.
  absl::StatusOr<uint64_t> BeginningBelow(uint64_t bound);

  // Writes [synced, tail) again, byte for byte, so that the next sync really writes it.
  absl::Status WriteAgain();
  // Syncs everything before seen(): the files, and the directory when there are new ones. Adds to
  // `syncs` and `bytes`.
  absl::Status Sync(uint64_t& syncs, uint64_t& bytes);

 private:
  // Calls with (position, stamp_ns) of each record in [from, to) until it returns false.
  template <typename Visit>
  absl::Status ForEachRecord(uint64_t from, uint64_t to, Visit visit);
  absl::StatusOr<const Segment*> SegmentAt(uint32_t index);

  FileSystem& files_;
  const std::string dir_;
  const uint32_t owner_number_;
  const uint64_t units_;               // of a segment
  const std::atomic<uint64_t>* tail_;  // null: the journal is closed
  uint64_t seen_ = 0;
  uint64_t synced_;
  int64_t last_named_ = -1;             // the segments up to this one have their names on the disk
  std::optional<Segment> segment_;      // the one that was used last, open for reading
  std::atomic<uint64_t> acknowledged_;  // SYNC(journal-durable)
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_COMMIT_MEMBER_H_
