// Checks every record of a journal, and sums up what is in it.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_VERIFY_H_
#define BITACTOR_PERSISTENCE_JOURNAL_VERIFY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

enum class DamageKind : uint8_t {
  kSegmentMissing,   // a segment with a lower number than the last one is not there
  kSegmentSize,      // the file is not as long as a segment
  kSegmentHeader,    // the header is not one, or belongs to another place
  kSegmentUnsealed,  // the segment does not end with a seal, but the next one is in use
  kHole,             // unwritten bytes with records behind them
  kRecord,           // bytes that are no record, with records behind them
  kTornTail,         // bytes that are no record, and none behind them: the next Open() cuts them,
                     // or refuses if they were acknowledged
  kSeal,             // a seal does not agree with the records before it
  kBlock,            // a whole frame, but the block that belongs to it is not
  kRetired,          // the mark of what Journal::Retain() removed: what is missing may be damage
  kCut,              // what says what was acknowledged cannot be read, or is not there
  kAcknowledged,     // the journal ends before what was acknowledged does: the next Open() refuses
};
const char* DamageKindName(DamageKind kind);

struct Damage {
  DamageKind kind = DamageKind::kRecord;
  std::string file = {};
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;   // until the next readable place
  Position position{};
  std::string detail = {};       // found and expected values
  std::string ToString() const;  // one line for people
};

// A place where repair gave bytes up: known, and no damage any more.
struct KnownGap {
  std::string file = {};
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;
  Position position{};
  std::string ToString() const;  // one line for people
};

struct VerifyReport {
  uint32_t segments = 0;
  uint64_t records = 0;       // whole ones, seals not counted
  uint64_t bytes_read = 0;    // of the segments
  uint64_t damage_count = 0;  // all of it; `damages` holds the first kMaxDamagesKept
  std::vector<Damage> damages;
  uint64_t gap_count = 0;  // all of them; `gaps` holds the first kMaxDamagesKept
  std::vector<KnownGap> gaps;
  // Parts of blocks whose record never came, because the writer died or was refused between: no
  // damage, only space.
  uint64_t abandoned_blocks = 0;
  bool closed_clean = false;  // the journal ends with a seal
  // All before it was acknowledged, as the journal's own cut or that of its set had it when verify
  // began: damage before it says so. Nothing when there is no cut.
  std::optional<Position> acknowledged = {};
  bool ok() const { return damage_count == 0; }
};
inline constexpr size_t kMaxDamagesKept = 1000;

// Called now and then with the bytes done and to do.
using VerifyProgress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

// Reads all of the journal in bounded memory, changes nothing, and needs no lock; a live journal is
// judged by what it is when its end is reached, and a block that is being appended then counts as
// abandoned. The cut of a set is looked for in the directory above the journal's. Damage is in the
// report; an error is that it could not be read at all (no journal, another version, no permission,
// I/O).
absl::StatusOr<VerifyReport> VerifyJournal(const std::string& dir, FileSystem& files = PosixFiles(),
                                           const VerifyProgress& progress = {});

struct SegmentStat {
  uint32_t index = 0;
  uint64_t records = 0;  // seals not counted
  Position first{};      // of the first record; of the segment's beginning if there is none
  Position last{};
  uint64_t last_stamp_ns = 0;  // of the last record of the journal up to the segment's end; 0: none
  uint64_t created_ns = 0;
  bool sealed = false;  // the last slot in use is a seal: full, or closed
};

struct JournalStat {
  uint32_t segments = 0;
  uint64_t segment_bytes = 0;
  uint32_t owner_number = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;            // used by headers, records and seals
  Position first{};              // what is available begins here
  uint64_t retired_records = 0;  // removed by Journal::Retain(), not in `records`
  uint64_t retired_bytes = 0;    // of segments
  uint64_t first_stamp_ns = 0;   // 0: no record
  uint64_t last_stamp_ns = 0;
  Position tail{};
  std::optional<Position> acknowledged;  // as JournalReader::acknowledged()
  bool closed_clean = false;
  std::optional<LockOwner> owner;  // who has it open for writing
  std::vector<SegmentStat> segment_list;
};

// From the seals and the last segment alone: quick, but for a check use VerifyJournal.
absl::StatusOr<JournalStat> StatJournal(const std::string& dir, FileSystem& files = PosixFiles());

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_VERIFY_H_
