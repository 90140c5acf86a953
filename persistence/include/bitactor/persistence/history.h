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

namespace bitactor {

namespace internal {
class RecordCursor;
}  // namespace internal

struct ReplayOptions {
  Position from =
      Position::Begin();  // a record's position, the end of an earlier replay, or Begin()
  Position until = Position::None();  // exclusive; None(): all that is committed when it is reached
  // Goes on behind gaps, the places where repair gave bytes up. Otherwise a gap ends the range.
  bool skip_gaps = false;
};

// Order: as appended. Seals that the journal writes for itself are not shown.
// Threads: one thread per History; a writer may go on appending meanwhile.
// Bounds: one segment is mapped at a time, two while a block is read that began in an earlier one;
//   up to 16 MiB of memory for the block.
// Ownership: independent of the Journal or JournalReader that made it, which may close first; the
//   file system must outlive it.
// Errors: damage ends the range, and status() says where; ask it after the loop.
//
//   History history = journal.Replay();
//   for (const Record& record : history) Apply(record.bytes());
//   if (!history.status().ok()) return history.status();
class History {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Record;
    using difference_type = std::ptrdiff_t;
    using pointer = const Record*;
    using reference = const Record&;

    // The record stays valid until the iterator moves on.
    const Record& operator*() const { return *record_; }
    const Record* operator->() const { return record_; }
    Iterator& operator++() {
      record_ = history_->Next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return record_ == nullptr; }

   private:
    friend class History;
    explicit Iterator(History* history) : history_(history), record_(history->Next()) {}

    History* history_;
    const Record* record_;
  };

  explicit History(std::unique_ptr<internal::RecordCursor> cursor);
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
  // OK, or kDataLoss with file, offset and position of the damage that ended the range.
  const absl::Status& status() const;
  // How many gaps were passed over.
  uint64_t gaps_skipped() const;
  // Where the range stands: the place after the last record given. A later replay from there goes
  // on with what was appended since.
  Position next_position() const;

 private:
  std::unique_ptr<internal::RecordCursor> cursor_;
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_HISTORY_H_
