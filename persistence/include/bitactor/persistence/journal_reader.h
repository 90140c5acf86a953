// Reads a journal without its lock: live, closed or crashed, from any process.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_READER_H_
#define BITACTOR_PERSISTENCE_JOURNAL_READER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/history.h"

namespace bitactor {

// Threads: any; it only remembers where the journal is.
// Progress: never waits for the writer, and changes nothing on disk.
// Bounds: a history maps one segment at a time.
// Errors: kNotFound: no journal there; kFailedPrecondition: of another version; kDataLoss: a
//   missing or cut segment, or, from a history, damage in its records.
class JournalReader {
 public:
  // `files` must outlive the reader and its histories.
  static absl::StatusOr<JournalReader> Open(const std::string& dir,
                                            FileSystem& files = PosixFiles());

  // By default from the first record to the end of what is committed when the end is reached. To go
  // on later, replay again from history.next_position(); to wait there, ReplayOptions::follow.
  History Replay(ReplayOptions options = {}) const;

  // What is before this position survives a power loss, as the writer last told; nothing when it
  // never told, which at level `process` it need not. Of a journal in a set, the set's directory
  // tells: see ReadAcknowledged.
  absl::StatusOr<std::optional<Position>> acknowledged() const;

  const std::string& dir() const { return dir_; }
  uint64_t segment_bytes() const { return segment_bytes_; }
  uint32_t owner_number() const { return owner_number_; }

 private:
  JournalReader(std::string dir, FileSystem* files, uint64_t segment_bytes, uint32_t owner_number);

  std::string dir_;
  FileSystem* files_;
  uint64_t segment_bytes_;
  uint32_t owner_number_;
};

// The same, from the cut in the directory of a journal or of a set of journals.
absl::StatusOr<std::optional<Position>> ReadAcknowledged(const std::string& dir,
                                                         uint32_t owner_number,
                                                         FileSystem& files = PosixFiles());

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_READER_H_
