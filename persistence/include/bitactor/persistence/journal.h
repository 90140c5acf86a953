// A crash-safe, append-only log of frames: one writer, any number of readers.
#ifndef BITACTOR_PERSISTENCE_JOURNAL_H_
#define BITACTOR_PERSISTENCE_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/group_commit.h"
#include "bitactor/persistence/history.h"
#include "bitactor/persistence/journal_options.h"
#include "bitactor/persistence/journal_writer.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/retention.h"

namespace bitactor {

// Order: records keep the order of the appends.
// Threads: one at a time, except tail(), durable(), WaitDurable(), Replay() and, by one thread at a
//   time, Retain(), which any thread may call while another one appends, but not while it opens,
//   moves or closes the journal.
// Progress: AppendFrame is wait-free but where a segment ends or, once in a megabyte or in
//   group_records, where a helper thread is told so; at level `each` it waits for the disk.
// Bounds: a record holds up to 16 MiB, in a frame up to 128 bytes; the directory grows until
//   Retain() removes what is old.
// Ownership: the directory belongs to this object from Open() to Close(), also against other
//   processes.
// Errors: what is appended is never taken back. A full disk refuses appends before it takes
//   anything. After a sync that failed, WaitDurable and Append refuse for good, and AppendFrame does
//   after at most group_records more.
// Cost: AppendFrame copies the stored length and computes one step of a CRC, with no allocation,
//   lock or system call: 6 ns for 128 bytes while the pages are ready (2.6 GHz EPYC).
// Design: docs/persistence.md: what survives what; docs/journal_format.md: the bytes.
class Journal {
 public:
  // Opens the journal in the directory `dir`, which is made if its parent exists; recovers what a
  // crash left (what it cuts, it copies to DIR/lost+found) and holds the directory's lock. At `group`
  // and `each` all that was recovered is durable when this returns, but in a set of journals.
  // kFailedPrecondition: in use by another one, or of another version, owner or set. kDataLoss:
  // damage, no record was changed. kInvalidArgument: an option. Else the file system's error.
  static absl::StatusOr<Journal> Open(const std::string& dir, JournalOptions options = {});

  // What was moved from may only be destroyed or assigned to.
  Journal(Journal&&) noexcept = default;
  Journal& operator=(Journal&&) noexcept = default;
  // Closes; an error is lost, so whoever needs to know calls Close().
  ~Journal() = default;

  // Appends up to 16 MiB as a record of kind kRecord, stamped with now; over 128 bytes it is a
  // block. kInvalidArgument: too long; else as last_refusal().
  absl::StatusOr<Position> Append(std::span<const std::byte> bytes);

  // Appends a sealed frame; None() when refused, which changes nothing: see last_refusal(). At `each`
  // a commit that fails refuses too, and then the frame may or may not be there when the journal is
  // opened again.
  // REQUIRES: the header is the first member of a Frame (the whole stored length is read), sealed,
  // its kind from kCast to kRecord, but not kBlock, and without kFlagBlock.
  Position AppendFrame(const FrameHeader& sealed) { return writer_->AppendFrame(sealed); }

  // Appends 1 byte to 16 MiB as one record, with these fields and kFlagBlock. Parts go before the
  // record's frame, whose commit commits them all: whatever happens before that leaves nothing to
  // read, only space that is taken. The journal makes size and checksums. kInvalidArgument: length;
  // else as last_refusal(). REQUIRES: fields.kind as for AppendFrame.
  // `crc32c`: that of the bytes, for who has it already: a part that is the whole block takes it
  // over, so that what the bytes have become since it was made is damage for who reads them.
  absl::StatusOr<Position> AppendBlock(const FrameHeader& fields, std::span<const std::byte> bytes,
                                       std::optional<uint32_t> crc32c = std::nullopt);

  // Waits until the record at `position` survives what the durability level promises. At kProcess
  // that holds as soon as it is appended. kOutOfRange: nothing was appended there.
  // kDeadlineExceeded: not yet; without prepare_ahead it commits by itself and ignores `at_most`.
  // Else the commit failed: see Errors.
  absl::Status WaitDurable(Position position,
                           absl::Duration at_most = absl::InfiniteDuration()) const;
  // Appending thread: if a commit has failed, AppendFrame refuses from now on, and not only after
  // group_records more.
  void LookForFailure() { writer_->LookForFailure(); }
  // All records before this position are acknowledged; at kProcess, the tail.
  Position durable() const { return writer_->durable(); }

  // Where the next record goes, unless it has to go to the next segment.
  Position tail() const { return writer_->tail(); }
  const RecoveryReport& recovery() const { return writer_->recovery(); }
  const std::string& dir() const { return writer_->dir(); }

  // Since Open().
  uint64_t appended() const { return writer_->appended(); }
  uint64_t refused() const { return writer_->refused(); }
  // Of the set that it commits with; zeros at kProcess.
  CommitCounters commit_counters() const { return writer_->commit_counters(); }
  // Why the last refused append was refused. kResourceExhausted: the disk is full, append again
  // when there is space; kOutOfRange: it has the last segment that can be numbered, go on in another
  // directory; kFailedPrecondition: closed, open it again; kDataLoss: the file was cut
  // short under this journal, which takes nothing any more; else the disk failed: close, and see
  // what it is. OK while nothing was refused.
  const absl::Status& last_refusal() const { return writer_->last_refusal(); }

  // Removes whole segments from the front, as far as the options ask for it: never the current one.
  // Positions stay what they are; a replay from a retired one ends with kOutOfRange, one from
  // Position::Begin() has all that is there. Histories read on in the segment that they have.
  // kDataLoss: a segment that should go is damaged, and stays. After any other error, of the file
  // system, nothing is lost: the next Retain() or Open() goes on with it.
  absl::StatusOr<RetentionReport> Retain(const RetentionOptions& options);

  // The records from `from` until `until`, by default until the tail as it is now; what is appended
  // later is given only to who follows.
  History Replay(ReplayOptions options = {}) const;

  // Seals the journal, commits it (not at kProcess) and gives the directory free. Appends are refused
  // from here on. OK when it is closed already.
  absl::Status Close() { return writer_->Close(); }

 private:
  explicit Journal(std::unique_ptr<internal::JournalWriter> writer) : writer_(std::move(writer)) {}

  std::unique_ptr<internal::JournalWriter> writer_;
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_JOURNAL_H_
