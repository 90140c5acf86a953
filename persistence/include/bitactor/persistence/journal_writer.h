// The writing side of a journal, with the append inline. Private; use Journal.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_WRITER_H_
#define BITACTOR_PERSISTENCE_JOURNAL_WRITER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/group_commit.h"
#include "bitactor/persistence/journal_options.h"
#include "bitactor/persistence/position.h"

namespace bitactor::internal {

// Eight records of 64 bytes of payload: the processor's own prefetching ends at each page.
inline constexpr size_t kPrefetchAheadBytes = 1024;

// Brings a line near that is written soon, ready to be changed. May be any address.
inline void PrefetchForWriting(const std::byte* line) {
#if defined(__x86_64__)
  // The builtin makes this instruction only where the baseline is newer; on a processor without it,
  // it does nothing.
  asm volatile("prefetchw %0" : : "m"(*line));
#else
  __builtin_prefetch(line, 1);
#endif
}

class Committer;
class CommitMember;
class SegmentPreparer;
struct RecoveredJournal;
struct Segment;
struct SegmentMaker;

// What the stored checksum of the record at `position` is XORed with, so that a record reads as
// valid in its own place only.
constexpr uint32_t PlaceMask(uint64_t salt, uint64_t position) {
  return static_cast<uint32_t>(Mix64(salt ^ position) >> 32);
}

// Invariants (positions; S is the current segment, which holds [begin_, end_)):
//   W1  begin_ < tail_ <= end_; every unit in [tail_, end_) is zero.
//   W2  limit_ < end_ while the journal is open: a seal always fits behind the records.
//   W3  the segment after S exists before the seal that ends S is written.
//   W4  at `each`, limit_ is 0: every append takes the slow way, and commits.
//   W5  an append that stored a byte where the file has none is refused, and so are all after it.
class JournalWriter {
 public:
  static absl::StatusOr<std::unique_ptr<JournalWriter>> Open(const std::string& dir,
                                                             const JournalOptions& options);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  Position AppendFrame(const FrameHeader& sealed) {
    BITACTOR_CHECK(sealed.size_bytes <= kMaxPayloadBytes && IsAppendable(sealed.kind) &&
                   (sealed.flags & kFlagBlock) == 0);
    const uint64_t units = StoredBytes(sealed.size_bytes) / kFrameUnitBytes;
    // Relaxed: only the appending thread writes it.
    const uint64_t at = tail_.load(std::memory_order_relaxed);
    if (at + units > limit_) [[unlikely]]
      return AppendSlow(sealed, units);
    return AppendHere(sealed, at, units);
  }

  // As Journal::AppendBlock; None() when refused. REQUIRES: 0 < bytes.size() <= kMaxBlockBytes.
  Position AppendBlock(const FrameHeader& fields, std::span<const std::byte> bytes,
                       std::optional<uint32_t> crc32c);

  Position tail() const {
    // SYNC(journal-tail): pairs with Store(); the records before the tail are committed.
    return Position(tail_.load(std::memory_order_acquire));
  }
  absl::Status Close();
  // What may be asked by any thread.
  Position durable() const;
  absl::Status WaitDurable(uint64_t position, absl::Duration at_most) const;
  CommitCounters commit_counters() const;
  absl::Status CommitFailure() const;
  // Appending thread: the next append takes the slow way, which asks for a failed commit.
  void LookForFailure() { limit_ = 0; }

  const std::string& dir() const { return dir_; }
  const JournalOptions& options() const { return options_; }
  uint64_t segment_bytes() const { return segment_bytes_; }
  const RecoveryReport& recovery() const { return recovery_; }
  uint64_t appended() const { return appended_; }
  uint64_t refused() const { return refused_; }
  bool closed() const { return closed_; }
  const absl::Status& last_refusal() const { return last_refusal_; }
  // The stamp for a record made now: later than every one before.
  uint64_t NextStamp() const;

 private:
  JournalWriter(const JournalOptions& options, SegmentMaker maker, std::unique_ptr<FileLock> lock,
                RecoveredJournal recovered);
  absl::Status JoinCommits(Committer* set, uint64_t synced, bool is_new);

  static constexpr bool IsAppendable(FrameKind kind) {
    return kind > FrameKind::kNone && kind < FrameKind::kFooter && kind != FrameKind::kBlock;
  }

  Position AppendHere(const FrameHeader& sealed, uint64_t at, uint64_t units) {
    const uint64_t commit_word = Store(sealed, at, units);
    if (mapping_->broken()) [[unlikely]]
      return RefuseBroken();
    chain_ = Crc32c(chain_, &commit_word, sizeof(commit_word));
    last_record_ = at;
    ++appended_;
    return Position(at);
  }

  // Stores the frame at `at` and moves the tail behind its slot; returns the commit word as stored.
  uint64_t Store(const FrameHeader& sealed, uint64_t at, uint64_t units) {
    return Store(sealed, at, units, units);
  }
  uint64_t Store(const FrameHeader& sealed, uint64_t at, uint64_t units, uint64_t slot_units) {
    const auto* from = reinterpret_cast<const std::byte*>(&sealed);
    std::byte* to = data_ + (at - begin_) * kFrameUnitBytes;
    for (uint64_t unit = 0; unit < units; ++unit) {
      PrefetchForWriting(to + kPrefetchAheadBytes + unit * kFrameUnitBytes);
    }
    uint64_t commit_word;
    std::memcpy(&commit_word, from, sizeof(commit_word));
    commit_word ^= PlaceMask(salt_, at);
    std::memcpy(to + sizeof(commit_word), from + sizeof(commit_word),
                kFrameUnitBytes - sizeof(commit_word));
    for (uint64_t unit = 1; unit < units; ++unit) {
      std::memcpy(to + unit * kFrameUnitBytes, from + unit * kFrameUnitBytes, kFrameUnitBytes);
    }
    // SYNC(journal-commit): pairs with ReadSlot(); whoever sees the commit word sees the body.
    std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(to))
        .store(commit_word, std::memory_order_release);
    // SYNC(journal-tail): pairs with tail().
    tail_.store(at + slot_units, std::memory_order_release);
    return commit_word;
  }

  Position AppendSlow(const FrameHeader& sealed, uint64_t units);
  // Makes room for `units` in this segment or the next.
  absl::Status MakeRoom(uint64_t units);
  // Stores a part at the tail; returns the commit word as stored.
  uint64_t StoreBlockPart(const FrameHeader& part, std::span<const std::byte> bytes);
  Position Refuse(absl::Status why);
  Position RefuseBroken();
  void NoteBroken();
  void UseSegment(const Segment& segment, uint64_t tail);
  void SealUntil(uint64_t end);
  void NoteProgress(uint64_t at);
  void LimitToGroup(uint64_t at);
  uint64_t LastStamp() const;

  // Immutable after construction.
  const std::string dir_;
  const JournalOptions options_;
  const uint64_t segment_bytes_;
  const RecoveryReport recovery_;
  std::unique_ptr<FileLock> lock_;
  const std::unique_ptr<const SegmentMaker> maker_;

  // Written by the appending thread alone.
  std::atomic<uint64_t> tail_{0};  // SYNC(journal-tail)
  uint64_t limit_ = 0;             // a record that ends behind it needs AppendSlow()
  std::byte* data_ = nullptr;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t salt_ = 0;
  uint32_t version_ = 0;
  uint64_t first_record_ = 0;     // in this segment; begin_: none
  uint64_t last_record_ = 0;      // in this segment; begin_: none
  uint64_t appended_ = 0;         // since Open()
  uint64_t appended_before_ = 0;  // appended_ - appended_before_ = records in this segment
  uint32_t chain_ = 0;            // CRC-32C over the commit words of all records so far
  bool closed_ = false;
  absl::Status broken_;               // why nothing can be appended any more
  uint64_t sealed_tail_ = 0;          // the tail behind the last seal
  uint64_t stamp_known_at_ = 0;       // a value of last_record_,
  uint64_t known_stamp_ns_ = 0;       // and the stamp of the last record then
  std::shared_ptr<Mapping> mapping_;  // of data_
  uint64_t refused_ = 0;
  absl::Status last_refusal_;
  uint64_t appended_at_wake_ = 0;  // appended_ when the committer was last told

  // Both null at kProcess.
  std::unique_ptr<Committer> own_committer_;  // null: the set's is used
  Committer* committer_ = nullptr;
  CommitMember* member_ = nullptr;

  std::unique_ptr<SegmentPreparer> preparer_;  // last: its thread reads tail_; null: no helper
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_JOURNAL_WRITER_H_
