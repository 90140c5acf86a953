// Finds where a journal goes on, and cuts what a crash tore.
#ifndef BITACTOR_PERSISTENCE_RECOVERY_H_
#define BITACTOR_PERSISTENCE_RECOVERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/persistence/journal_options.h"
#include "cut_file.h"
#include "segment_store.h"

namespace bitactor::internal {

inline constexpr uint64_t kFirstPosition = 1;  // of a record: unit 0 is a header

struct RecoveredJournal {
  Segment segment;  // the last one, mapped for writing
  uint64_t tail = 0;
  bool sealed = false;  // what is before the tail is a seal
  Seal sums{};          // what a seal at the tail would say
  // What is on the disk for sure: all before this position.
  uint64_t synced = 0;
  RecoveryReport report;
};

// What a scan of one segment finds, up to the first slot that is unwritten or bad, or that begins at
// `stop_unit` or behind it.
struct SegmentScan {
  uint64_t end_unit = 1;
  bool sealed = false;         // the last slot before end_unit is a seal
  Seal sums;                   // what a seal at end_unit would say
  uint64_t bad_seal_unit = 0;  // a seal that says something else ends the scan; 0: none
};
inline constexpr uint64_t kWholeSegment = ~uint64_t{0};
SegmentScan ScanSegment(const SegmentView& view, const Seal& before,
                        uint64_t stop_unit = kWholeSegment);
// The sums that a segment starts from: the chain and stamp of the seal of the one before it.
Seal SumsAtBegin(const SegmentView& view, const Seal& previous);

// The seal in the last slot of a segment, if it has one: the segment is full. Of a segment that ends
// with a gap: the sums that the gap keeps, not known.
std::optional<Seal> EndSeal(const SegmentView& view);

// The last segment that was written to; segments behind it were made ahead and are empty.
struct TailSegment {
  Segment segment;
  Seal previous;  // the seal before the segment; zeros in the first
};
absl::StatusOr<TailSegment> FindTailSegment(FileSystem& files, const std::string& dir,
                                            uint32_t last_index);

// Where a journal ends, before anything is done about what is behind it.
struct Ending {
  Segment segment;  // mapped for reading
  Seal previous;    // the seal before the segment; zeros in the first
  SegmentScan scan;
};

// After a process crash: all that is whole is kept. kDataLoss: records are missing, or what is
// damaged was acknowledged.
absl::StatusOr<Ending> FindEnd(FileSystem& files, const std::string& dir, uint32_t last_index,
                               uint64_t acknowledged);
// After the machine restarted under a journal that was committed: exactly what is before the cut.
// kDataLoss: that is damaged.
absl::StatusOr<Ending> FindEndAtCut(FileSystem& files, const std::string& dir,
                                    const std::vector<uint32_t>& segments, uint64_t cut);
// After the machine restarted under a journal that was not: the longest sound beginning. kDataLoss: what is damaged was acknowledged, or the journal was closed.
absl::StatusOr<Ending> FindEndOfSoundBeginning(FileSystem& files, const std::string& dir,
                                               const std::vector<uint32_t>& segments,
                                               uint64_t acknowledged);

// Recovers the journal; `cut` is null when none was ever made.
// Errors: kDataLoss with the place; then nothing was changed. Whatever is cut is on the disk in
//   lost+found before it is cut, and what was cut does not come back. Recovery that is broken off
//   at any point can be done again.
// REQUIRES: the directory exists and is locked by the caller.
absl::StatusOr<RecoveredJournal> RecoverJournal(const SegmentMaker& maker,
                                                const CutEntry* cut = nullptr);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_RECOVERY_H_
