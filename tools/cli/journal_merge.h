// The records of one journal, or of a set of them in one sequence.
#ifndef BITACTOR_TOOLS_CLI_JOURNAL_MERGE_H_
#define BITACTOR_TOOLS_CLI_JOURNAL_MERGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/journal_index.h"
#include "bitactor/persistence/journal_reader.h"
#include "cli/journal_filter.h"

namespace bitactor::cli {

struct JournalDir {
  uint32_t shard;
  std::string dir;
};

// The journals of a set, or the folder itself when there are none: then nobody looked
// whether it is a journal. With `shard` that one alone; kInvalidArgument: none of that shard.
absl::StatusOr<std::vector<JournalDir>> JournalsOf(FileSystem& files, const std::string& dir,
                                                   std::optional<uint32_t> shard = std::nullopt);

// Reads the journals until the name is found. kNotFound: the journals give no actor that name.
absl::StatusOr<uint32_t> FindActorByName(FileSystem& files, const std::string& dir,
                                         const std::string& name);

struct PlacedRecord {
  uint32_t shard;
  const Record* record;  // until the next call
};

// Order: each journal's records in their own order; between journals the lower stamp first, then
//   the lower shard. A journal is in delivery order, so stamps may step back within it. Records
//   that appear while the journals are read come when they are met.
// Threads: one.
// Bounds: one mapped segment a journal.
// Errors: damage ends the journal that has it; the others go on. With a target, of segments that have
//   an index only its records are read, and damage elsewhere is not met.
class JournalMerge {
 public:
  static absl::StatusOr<JournalMerge> Open(FileSystem& files, const std::string& dir,
                                           RecordFilter filter);

  // Passes over all but the last `count` records, by reading back from the end. Before the first
  // Next(). Returns how many there are, at most `count`.
  uint64_t StartAtLast(uint64_t count);

  // The next record that the filter lets through; nullopt at the end.
  std::optional<PlacedRecord> Next();
  // After the end: the next Next() looks for what was appended since.
  void LookAgain();

  // OK, or the damage of every journal that ended with it.
  absl::Status status() const;
  // Gaps that were passed over: bytes that a repair gave up, which are no damage any more.
  uint64_t gaps() const;
  // How far reading came, and how far it goes as the journals were when they were opened.
  uint64_t passed_bytes() const;
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  struct Source {
    uint32_t shard;
    JournalReader reader;
    History history;
    std::optional<TargetHistory> of_target;  // read instead, when the filter names one
    uint64_t segment_units;
    Position first;                // where reading begins, a segment's beginning
    const Record* head = nullptr;  // read, not yet given
    bool ended = false;            // nothing more until LookAgain()
    bool complete = false;         // nothing more at all

    const Record* Next() { return of_target.has_value() ? of_target->Next() : history.Next(); }
    const absl::Status& status() const {
      return of_target.has_value() ? of_target->status() : history.status();
    }
    uint64_t gaps() const {
      return of_target.has_value() ? of_target->gaps_skipped() : history.gaps_skipped();
    }
    Position next_position() const {
      return of_target.has_value() ? of_target->next_position() : history.next_position();
    }
    // Goes on with all records from there.
    void ReadAll(Position from) {
      of_target.reset();
      history = reader.Replay({.from = from, .skip_gaps = true});
      ended = complete = false;
    }
  };

  JournalMerge(FileSystem& files, RecordFilter filter) : files_(&files), filter_(filter) {}
  void Fill(Source& source) const;
  std::vector<Position> LastOf(Source& source, uint64_t count) const;

  FileSystem* files_;
  RecordFilter filter_;
  std::vector<Source> sources_;
  uint64_t total_bytes_ = 0;
  Source* given_ = nullptr;  // whose head the last Next() returned
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_JOURNAL_MERGE_H_
