// What was quarantined in one run of a fabric, as a file beside its journals.
#ifndef BITACTOR_L2_MAILBOX_QUARANTINE_FILE_H_
#define BITACTOR_L2_MAILBOX_QUARANTINE_FILE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/quarantine.h"

namespace bitactor {

// One run's file, DIR/quarantine/boot-NNNNN.
//
// Errors: damage inside a file is no error of the reading: it is listed, and what is sound is read.
// Design: little-endian, written whole and renamed into its place, never changed afterwards.
//   Header, 64 bytes: magic "BTQUAR01", boot u32, records u32, quarantined u64, zeros, and at 60 the
//   CRC-32C of bytes 0 to 60. Record i at 64 + 256 i: CRC-32C u32 of bytes 4 to 256, index i u32,
//   number u64, found_ns u64, shard u32, from_port u32, to_port u32, fault u8, zeros, and from 64 on
//   the frame's 192 bytes.
struct QuarantineFile {
  std::string path;
  uint32_t boot = 0;         // the start of the fabric, 1 is the first
  uint64_t quarantined = 0;  // in that run; those that are not kept were overwritten
  std::vector<QuarantinedFrame> frames;
  std::vector<std::string> damages;  // each with file, offset and bytes
};

// Writes the file of this boot; nothing when `frames` is empty. An error of the file system leaves
// the name without a file.
absl::Status WriteQuarantineFile(FileSystem& files, const std::string& set_dir, uint32_t boot,
                                 uint64_t quarantined, std::span<const QuarantinedFrame> frames);

// All files of a journal set, by boot; none when nothing was ever quarantined. kNotFound when there
// is no such folder.
absl::StatusOr<std::vector<QuarantineFile>> ReadQuarantineFiles(FileSystem& files,
                                                                const std::string& set_dir);

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_QUARANTINE_FILE_H_
