// The index of one sealed segment, a file beside the journal. docs/journal_format.md is the contract.
#ifndef BITACTOR_PERSISTENCE_INDEX_FILE_H_
#define BITACTOR_PERSISTENCE_INDEX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor::internal {

inline constexpr char kIndexDirName[] = "index";
inline constexpr uint64_t kIndexMagic = 0x0A78'646E'4941'4942;  // "BIAIndx\n"
inline constexpr uint32_t kIndexVersion = 1;

struct IndexHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t segment_index;
  uint64_t salt;     // of the segment
  uint64_t records;  // as its last seal says
  uint64_t target_count;
  uint64_t places_bytes;
  uint32_t chain;  // as its last seal says
  uint32_t reserved[2];
  uint32_t crc32c;  // over the 60 bytes before and all that is behind
};
static_assert(sizeof(IndexHeader) == 64);
static_assert(offsetof(IndexHeader, crc32c) == 60);

struct IndexedTarget {
  uint32_t target;
  uint32_t records;
  uint32_t places_bytes;
};
static_assert(sizeof(IndexedTarget) == 12);

// What is in a segment that is sealed to its end. Segments with other records differ in it.
struct SealedContent {
  uint32_t segment_index;
  uint64_t units;
  uint64_t salt;
  uint64_t records;
  uint32_t chain;
};
// Nothing: the segment is not sealed to its end, or ends with a gap. An error is one of the segment.
absl::StatusOr<std::optional<SealedContent>> ReadSealedContent(FileSystem& files,
                                                               const std::string& dir,
                                                               uint32_t index);

std::string IndexDir(const std::string& dir);  // DIR/index
std::string IndexName(uint32_t index);         // 00000000.idx
// For who is about to change what is in a sealed segment. OK when there is none.
absl::Status RemoveIndex(FileSystem& files, const std::string& dir, uint32_t index);

// The records of one segment by target, as they are put down.
class IndexBuilder {
 public:
  // REQUIRES: units rise.
  void Add(uint32_t target, uint32_t unit);
  uint64_t records() const { return records_; }
  // The bytes of the file.
  std::vector<std::byte> Encode(const SealedContent& content) const;

 private:
  struct Places {
    std::vector<std::byte> bytes;
    uint32_t records = 0;
    uint32_t last_unit = 0;
  };
  std::map<uint32_t, Places> targets_;
  uint64_t records_ = 0;
};

// Threads: any, read only.
// Errors: kDataLoss: the file is damaged or is that of other content, with place and values.
//   kNotFound: there is none.
class IndexFile {
 public:
  static absl::StatusOr<IndexFile> Read(FileSystem& files, const std::string& dir,
                                        const SealedContent& content);

  const std::vector<IndexedTarget>& targets() const { return targets_; }
  uint64_t records() const { return records_; }
  uint64_t RecordsOf(const std::function<bool(uint32_t)>& wanted) const;
  // The units at which the records of the wanted targets are, ascending.
  absl::StatusOr<std::vector<uint32_t>> UnitsOf(const std::function<bool(uint32_t)>& wanted) const;

 private:
  std::string path_;
  uint64_t units_ = 0;  // of the segment
  uint64_t records_ = 0;
  std::vector<IndexedTarget> targets_;
  std::vector<std::byte> places_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_INDEX_FILE_H_
