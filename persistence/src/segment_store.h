// The directory of a journal: names, making and opening of segments.
#ifndef BITACTOR_PERSISTENCE_SEGMENT_STORE_H_
#define BITACTOR_PERSISTENCE_SEGMENT_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "segment_format.h"

namespace bitactor::internal {

inline constexpr char kLockName[] = "lock";
inline constexpr char kUnfinishedName[] = "next.tmp";
inline constexpr char kLostAndFoundName[] = "lost+found";
inline constexpr uint32_t kMaxSegmentIndex = 99'999'999;  // as many digits as a name has

// A checked header and the whole segment in memory.
struct Segment {
  SegmentHeader header;
  std::shared_ptr<File> file;
  std::shared_ptr<Mapping> mapping;

  SegmentView view() const {
    const uint64_t units = header.segment_bytes / kFrameUnitBytes;
    return {.data = mapping->data(),
            .units = units,
            .begin = header.segment_index * units,
            .salt = header.salt,
            .version = header.version};
  }
};

std::string SegmentPath(const std::string& dir, uint32_t index);  // DIR/00000000.seg

// The numbers of the segments in the directory, ascending, from the first that was not retired (see
// retired.h) without a gap unless something is missing. kNotFound when the directory does not exist.
absl::StatusOr<std::vector<uint32_t>> ListSegments(FileSystem& files, const std::string& dir);
// The same with those that are retired but not removed yet.
absl::StatusOr<std::vector<uint32_t>> ListAllSegments(FileSystem& files, const std::string& dir);
// kDataLoss when a number is missing, also in front, that was not retired.
absl::Status CheckNoneMissing(FileSystem& files, const std::string& dir,
                              const std::vector<uint32_t>& segments);

// Checks header and length, and maps. kNotFound when there is no such segment.
absl::StatusOr<Segment> OpenSegment(FileSystem& files, const std::string& dir, uint32_t index,
                                    File::Access access);
// The header alone.
absl::StatusOr<SegmentHeader> ReadSegmentHeader(FileSystem& files, const std::string& dir,
                                                uint32_t index);

// Makes segments of one journal. A segment gets its name when all of its space is allocated and its
// header is written, so one that has its name is whole, whenever the process dies.
struct SegmentMaker {
  FileSystem* files;
  std::string dir;
  uint64_t segment_bytes;
  uint32_t owner_number;
  std::function<uint64_t()> random;
  std::function<uint64_t()> now_ns;
  // Whether a segment is on the disk before it gets its name. Level `process` does not need it but
  // for the first one, and on a busy disk it takes 200 ms, longer than the writer may be able to
  // wait.
  bool syncs = false;

  absl::StatusOr<Segment> Make(uint32_t index) const;
  // Of a segment that is made now.
  SegmentHeader NewHeader(uint32_t index) const;
};

// Takes the lock of the directory; kFailedPrecondition names who has it.
absl::StatusOr<std::unique_ptr<FileLock>> LockJournal(FileSystem& files, const std::string& dir,
                                                      uint64_t now_ns);

// "FILE: offset N (position P)", for messages.
std::string Place(const std::string& path, const SegmentView& view, uint64_t unit);

// The status with the advice that leads on from damage.
absl::Status DamageError(const std::string& dir, const std::string& what);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SEGMENT_STORE_H_
