// The records of a journal as a range.
#ifndef BITACTOR_PERSISTENCE_HISTORY_H_
#define BITACTOR_PERSISTENCE_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>

#include "absl/status/status.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/record.h"
#include "bitactor/persistence/replay_options.h"

namespace bitactor {

namespace internal {
class RecordCursor;
class ReplayTiming;
}  // namespace internal

// Steps through a range that gives records one after the other, each by Next().
template <typename Range>
class RecordIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Record;
  using difference_type = std::ptrdiff_t;
  using pointer = const Record*;
  using reference = const Record&;

  // The record stays valid until the iterator moves on.
  const Record& operator*() const { return *record_; }
  const Record* operator->() const { return record_; }
  RecordIterator& operator++() {
    record_ = range_->Next();
    return *this;
  }
  bool operator==(std::default_sentinel_t) const { return record_ == nullptr; }

 private:
  friend Range;
  explicit RecordIterator(Range* range) : range_(range), record_(range->Next()) {}

  Range* range_;
  const Record* record_;
};

// Order: as appended. Seals that the journal writes for itself are not shown.
// Threads: one thread per History; a writer may go on appending meanwhile.
// Progress: waits only where ReplayOptions ask for it.
// Bounds: one segment is mapped at a time, two while a block is read that began in an earlier one,
//   and up to 4 MiB of it are in memory while it is read from the beginning to the end; beside, up
//   to 16 MiB for the block.
// Ownership: independent of the Journal or JournalReader that made it, which may close first; the
//   file system must outlive it.
// Errors: damage ends the range, and status() says where; ask it after the loop. A file that is cut
//   short while it is read is damage, not the end of the process (l1_core/mapping_guard.h).
// Cost: 128-byte records at about the half of the machine's speed of copying memory.
//
//   History history = journal.Replay();
//   for (const Record& record : history) Apply(record.bytes());
//   if (!history.status().ok()) return history.status();
class History {
 public:
  using Iterator = RecordIterator<History>;

  explicit History(std::unique_ptr<internal::RecordCursor> cursor);
  // With waits.
  History(std::unique_ptr<internal::RecordCursor> cursor,
          std::unique_ptr<internal::ReplayTiming> timing);
  ~History();
  History(History&&) noexcept;
  History& operator=(History&&) noexcept;

  // A History is read once: begin() goes on where the last iterator stood.
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  // The next record, or nullptr at the end or at damage. Valid until the next call.
  const Record* Next();
  // Goes on at a record's position, forward or back; cheap within a segment. After damage the range
  // stays ended.
  void Seek(Position position);
  // OK, or why the range ended: kDataLoss with file, offset and position of damage,
  // kInvalidArgument for a wrong option, else the file system's error.
  const absl::Status& status() const;
  // How many gaps were passed over.
  uint64_t gaps_skipped() const;
  // Where the range stands: the place after the last record given. A later replay from there goes
  // on with what was appended since.
  Position next_position() const;

 private:
  std::unique_ptr<internal::RecordCursor> cursor_;
  std::unique_ptr<internal::ReplayTiming> timing_;  // null: never waits
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_HISTORY_H_
