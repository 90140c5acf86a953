// The file that says up to where journals are durable, and since which start of the machine.
#ifndef BITACTOR_PERSISTENCE_CUT_FILE_H_
#define BITACTOR_PERSISTENCE_CUT_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/journal_options.h"

namespace bitactor::internal {

inline constexpr char kCutName[] = "cut";
inline constexpr char kCutLockName[] = "cut.lock";            // of a set: against other sets
inline constexpr uint64_t kCutMagic = 0x0A74'7543'4A41'4942;  // "BIAJCut\n"
inline constexpr uint32_t kCutVersion = 1;
inline constexpr size_t kCutSlotBytes = 4096;
inline constexpr size_t kCutSlots = 2;

inline constexpr uint32_t kLevelProcess = 0;    // appended to without commits since
inline constexpr uint32_t kLevelCommitted = 1;  // group or each

// One journal's part of a cut.
struct CutEntry {
  uint32_t owner_number;
  uint32_t level;
  uint64_t tail;     // position; what is before it is on the disk
  uint64_t boot_id;  // of the last opening for writing
  uint64_t reserved;
};
static_assert(sizeof(CutEntry) == 32);
inline constexpr size_t kMaxCutEntries = (kCutSlotBytes - 64) / sizeof(CutEntry);

struct Cut {
  uint64_t sequence = 0;  // rises by one with each cut
  uint64_t stamp_ns = 0;  // when it was made
  bool moved = false;     // this journal belongs to a set, whose own cut file counts
  std::vector<CutEntry> entries;

  const CutEntry* Find(uint32_t owner_number) const;
  CutEntry& At(uint32_t owner_number);  // made if missing
};

// The newest whole cut of DIR/cut; nothing when none was ever made. kDataLoss: neither slot is whole,
// and they were written. kFailedPrecondition: another version.
absl::StatusOr<std::optional<Cut>> ReadCut(FileSystem& files, const std::string& dir);

// Order: a cut goes to the slot that the one before it does not have, so that a torn write leaves
//   that one. A slot whose first sector is zero was never written.
// Threads: one at a time.
// Errors: the file system's. After an error of Write() what is on the disk is one of the two cuts.
// Cost: Write() is a write of 4 KiB and a sync; the first one makes the file.
class CutFile {
 public:
  // `cut`: as ReadCut() has it. The slot that it came from is written again: after a sync that failed
  // its page may be clean in memory and missing on the disk.
  static absl::StatusOr<std::unique_ptr<CutFile>> Open(FileSystem& files, const std::string& dir);

  // The last one that is on the disk; empty before the first.
  const Cut& cut() const { return cut_; }
  // Gives it the next sequence, and returns when it is on the disk.
  absl::Status Write(Cut cut);

 private:
  CutFile(FileSystem& files, std::string dir) : files_(files), dir_(std::move(dir)) {}
  absl::Status WriteSlot(const Cut& cut);
  absl::Status Make();

  FileSystem& files_;
  const std::string dir_;
  std::unique_ptr<File> file_;  // null before the first Write()
  Cut cut_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_CUT_FILE_H_
