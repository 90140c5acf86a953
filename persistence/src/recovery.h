// Finds where a journal goes on, and cuts what a crash tore.
#ifndef BITACTOR_PERSISTENCE_RECOVERY_H_
#define BITACTOR_PERSISTENCE_RECOVERY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "bitactor/persistence/journal_options.h"
#include "segment_store.h"

namespace bitactor::internal {

struct RecoveredJournal {
  Segment segment;  // the last one, mapped for writing
  uint64_t tail = 0;
  bool sealed = false;  // what is before the tail is a seal
  Seal sums{};          // what a seal at the tail would say
  RecoveryReport report;
};

// What a scan of one segment finds, up to the first slot that is unwritten or bad.
struct SegmentScan {
  uint64_t end_unit = 1;
  bool sealed = false;         // the last slot before end_unit is a seal
  Seal sums;                   // what a seal at end_unit would say
  uint64_t bad_seal_unit = 0;  // a seal that says something else ends the scan; 0: none
};
SegmentScan ScanSegment(const SegmentView& view, const Seal& before);
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

// REQUIRES: the directory exists and is locked by the caller.
absl::StatusOr<RecoveredJournal> RecoverJournal(const SegmentMaker& maker);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_RECOVERY_H_
