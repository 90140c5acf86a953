// Where the records of each target are, so that a mailbox or an actor replays without the others.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_INDEX_H_
#define BITACTOR_PERSISTENCE_JOURNAL_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/history.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/record.h"

namespace bitactor {

// Whether the records of a target (FrameHeader::target) are wanted. A mailbox is a set of them.
using TargetFilter = std::function<bool(uint32_t target)>;

struct TargetReplayOptions {
  Position from =
      Position::Begin();  // a record's position, the end of an earlier replay, or Begin()
  Position until = Position::None();  // exclusive
  bool skip_gaps = false;             // as in ReplayOptions, of gaps that are met
};

struct TargetRecords {
  uint32_t target = 0;
  uint64_t records = 0;
  bool operator==(const TargetRecords&) const = default;
};

// What JournalIndex::Update() did.
struct IndexReport {
  uint32_t kept = 0;      // segments whose index was good
  uint32_t built = 0;     // that had none
  uint32_t rebuilt = 0;   // whose index was damaged, or that of other records
  uint32_t removed = 0;   // indexes of segments that are gone
  uint32_t left_out = 0;  // sealed segments that have gaps or damage: these are always read whole
  absl::Status damage;    // the first that stood in the way, with its place
};

// The records of some targets as a range.
//
// Order: as appended.
// Threads: one; a writer may go on appending meanwhile.
// Bounds: those of a History, and 4 bytes for each wanted record of a segment.
// Ownership: independent of the JournalIndex that made it; the file system must outlive it.
// Errors: of a segment that is read by its index, only what is wanted is read: damage elsewhere in it does not
//   stand in the way and is not found. When a wanted record is not where the index says, the segment
//   is read whole, and then, as in any segment without an index, damage ends the range, and status()
//   says where.
// Cost: a record from an index takes a jump, as long as reading ten that follow each other, and a
//   segment the reading of its index: with one record of 1,000 wanted, a fifth of reading all.
class TargetHistory {
 public:
  using Iterator = RecordIterator<TargetHistory>;

  // Read once: begin() goes on where the last iterator stood.
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  // The next record, or nullptr at the end or at damage. Valid until the next call.
  const Record* Next();
  // As of a History.
  const absl::Status& status() const { return history_.status(); }
  uint64_t gaps_skipped() const { return gaps_before_ + history_.gaps_skipped(); }
  // What was appended since is given by a later replay from here.
  Position next_position() const { return history_.next_position(); }
  // Segments that were read whole: they have no index that is good, are not sealed yet, or more than
  // one record of eight is wanted, which is quicker so.
  uint32_t segments_read_whole() const { return segments_read_whole_; }

 private:
  friend class JournalIndex;

  TargetHistory(JournalReader reader, FileSystem* files, TargetFilter wanted,
                TargetReplayOptions options);
  void Start();
  void Enter(uint64_t segment, Position from);
  bool TakeIndex(uint64_t segment, Position from);
  const Record* NextListed();
  void ReadWhole(Position from);

  JournalReader reader_;
  FileSystem* files_;
  TargetFilter wanted_;
  TargetReplayOptions options_;
  uint64_t segment_units_;
  History history_;
  uint64_t gaps_before_ = 0;  // skipped by histories before this one
  uint32_t segments_read_whole_ = 0;
  bool started_ = false;
  bool by_index_ = false;  // else records are read one after the other
  uint64_t segment_ = 0;   // where the range stands
  Position segment_end_{};
  Position resume_{};            // by index: where what was not given yet begins
  std::vector<uint32_t> units_;  // of the wanted records of this segment
  size_t taken_ = 0;             // of these
};

// Indexes of the sealed segments of one journal, in DIR/index.
//
// Order: none with the writer, who does not know of them. An index that does not fit its segment, for
//   whatever reason, is as good as none.
// Threads: any; it only remembers where the journal is. Update() takes a lock of its own, so that one
//   at a time writes, in whichever process.
// Bounds: Update() holds the index of one segment in memory. On the disk it takes 1 to 3 bytes a
//   record and 12 for each target of a segment.
// Errors: damage of an index is never an error: the segment is read whole, and the next Update()
//   makes the index anew.
// Cost: Update() reads new segments whole and all indexes: a matter of a reader or a tool.
// Design: docs/journal_format.md, "Index".
class JournalIndex {
 public:
  // `files` must outlive the index and its histories. As JournalReader::Open.
  static absl::StatusOr<JournalIndex> Open(const std::string& dir,
                                           FileSystem& files = PosixFiles());

  // Makes what is missing or not good, and removes what is of no use. kFailedPrecondition: another
  // one is about it just now. Else the file system's error, e.g. of a directory that may not be
  // written; what was made until then is good.
  absl::StatusOr<IndexReport> Update();

  // All targets with their number of records, ascending; reads segments without an index whole.
  absl::StatusOr<std::vector<TargetRecords>> Targets() const;

  TargetHistory Replay(uint32_t target, TargetReplayOptions options = {}) const;
  TargetHistory Replay(TargetFilter wanted, TargetReplayOptions options = {}) const;

  const std::string& dir() const { return reader_.dir(); }

 private:
  JournalIndex(JournalReader reader, FileSystem* files)
      : reader_(std::move(reader)), files_(files) {}
  absl::Status UpdateSegment(uint32_t segment, IndexReport& report);

  JournalReader reader_;
  FileSystem* files_;
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_INDEX_H_
