#include "bitactor/persistence/journal_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "recovery.h"
#include "segment_preparer.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

// How often the helper hears where the tail is: often enough to be ahead of it always, seldom
// enough that the wake-up costs nothing per record.
constexpr uint64_t kProgressUnits = (uint64_t{1} << 20) / kFrameUnitBytes;

absl::Status CheckOptions(const std::string& dir, const JournalOptions& options) {
  if (options.durability != Durability::kProcess) {
    return absl::UnimplementedError(absl::StrCat(
        dir, ": durability level `", options.durability == Durability::kGroup ? "group" : "each",
        "` is not available; open the journal with `process`, which survives the death of the "
        "process but not of the machine"));
  }
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes ||
      options.segment_bytes % kSegmentAlignBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": segment_bytes is ", options.segment_bytes, "; multiples of ", kSegmentAlignBytes,
        " from ", kMinSegmentBytes, " to ", kMaxSegmentBytes, " are possible"));
  }
  if (options.files == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": files is null; leave it as it is for the system's files"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<JournalWriter>> JournalWriter::Open(const std::string& dir,
                                                                   const JournalOptions& options) {
  if (absl::Status status = CheckOptions(dir, options); !status.ok()) return status;
  FileSystem& files = *options.files;
  if (absl::Status status = files.CreateDir(dir); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<FileLock>> lock = LockJournal(files, dir, options.now_ns());
  if (!lock.ok()) return lock.status();
  SegmentMaker maker{.files = &files,
                     .dir = dir,
                     .segment_bytes = options.segment_bytes,
                     .owner_number = options.owner_number,
                     .random = options.random,
                     .now_ns = options.now_ns};
  absl::StatusOr<RecoveredJournal> recovered = RecoverJournal(maker);
  if (!recovered.ok()) return recovered.status();
  maker.segment_bytes = recovered->segment.header.segment_bytes;
  return std::unique_ptr<JournalWriter>(
      new JournalWriter(options, std::move(maker), *std::move(lock), *std::move(recovered)));
}

JournalWriter::JournalWriter(const JournalOptions& options, SegmentMaker maker,
                             std::unique_ptr<FileLock> lock, RecoveredJournal recovered)
    : dir_(maker.dir),
      options_(options),
      segment_bytes_(maker.segment_bytes),
      recovery_(std::move(recovered.report)),
      lock_(std::move(lock)),
      maker_(std::make_unique<const SegmentMaker>(std::move(maker))) {
  if (options.prepare_ahead) {
    preparer_ = std::make_unique<SegmentPreparer>(
        *maker_, recovered.segment.header.segment_index + 1, tail_);
  }
  UseSegment(recovered.segment, recovered.tail);
  const Seal& sums = recovered.sums;
  first_record_ = sums.first_record;
  last_record_ = sums.last_record;
  appended_before_ = appended_ - sums.records;
  chain_ = sums.chain;
  // Not read from the record: behind a gap it may be one that is lost.
  stamp_known_at_ = last_record_;
  known_stamp_ns_ = sums.last_stamp_ns;
  sealed_tail_ = recovered.sealed ? recovered.tail : 0;
  NoteProgress(recovered.tail);
  limit_ = 0;  // the first append notes what it is
}

JournalWriter::~JournalWriter() { Close().IgnoreError(); }

Position JournalWriter::AppendSlow(const FrameHeader& sealed, uint64_t units) {
  if (absl::Status status = MakeRoom(units); !status.ok()) return Refuse(std::move(status));
  // Relaxed: this thread wrote it.
  const uint64_t at = tail_.load(std::memory_order_relaxed);
  NoteProgress(at);
  if (appended_ == appended_before_) first_record_ = at;
  return AppendHere(sealed, at, units);
}

absl::Status JournalWriter::MakeRoom(uint64_t units) {
  if (closed_) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir_, ": the journal was closed; open it again to append"));
  }
  // A segment of an older version is not continued.
  // Relaxed: this thread wrote it.
  if (tail_.load(std::memory_order_relaxed) + units <= end_ - 1 && version_ == kJournalVersion) {
    return absl::OkStatus();
  }
  absl::StatusOr<Segment> next = preparer_ != nullptr
                                     ? preparer_->Take()
                                     : maker_->Make(static_cast<uint32_t>(end_ / (end_ - begin_)));
  if (!next.ok()) return next.status();
  SealUntil(end_);
  const uint64_t stamp_ns = LastStamp();
  UseSegment(*next, next->view().begin + 1);
  known_stamp_ns_ = stamp_ns;
  return absl::OkStatus();
}

Position JournalWriter::Refuse(absl::Status why) {
  ++refused_;
  last_refusal_ = std::move(why);
  return Position::None();
}

void JournalWriter::UseSegment(const Segment& segment, uint64_t tail) {
  const SegmentView view = segment.view();
  mapping_ = segment.mapping;
  data_ = mapping_->data();
  begin_ = view.begin;
  end_ = view.begin + view.units;
  salt_ = view.salt;
  version_ = view.version;
  first_record_ = begin_;
  last_record_ = begin_;
  stamp_known_at_ = begin_;
  appended_before_ = appended_;
  // SYNC(journal-tail): pairs with tail().
  tail_.store(tail, std::memory_order_release);
  if (preparer_ != nullptr) preparer_->SetCurrent(segment);
}

void JournalWriter::NoteProgress(uint64_t at) {
  // The last unit is kept for a seal (W2).
  limit_ = end_ - 1;
  if (preparer_ == nullptr) return;
  const uint64_t segment_units = end_ - begin_;
  limit_ = std::min(limit_, at + std::min(kProgressUnits, segment_units / 8));
  preparer_->Wake(/*want_next=*/at - begin_ >= segment_units / 4);
}

void JournalWriter::SealUntil(uint64_t end) {
  const Seal seal{.records = appended_ - appended_before_,
                  .first_record = first_record_,
                  .last_record = last_record_,
                  .last_stamp_ns = LastStamp(),
                  .chain = chain_};
  const FrameHeader header = EncodeSeal(seal, static_cast<uint32_t>(begin_ / (end_ - begin_)));
  while (tail_.load(std::memory_order_relaxed) < end) {
    Store(header, tail_.load(std::memory_order_relaxed), 1);
  }
  sealed_tail_ = end;
}

absl::Status JournalWriter::Close() {
  if (closed_) return absl::OkStatus();
  closed_ = true;
  limit_ = 0;
  absl::Status status = preparer_ != nullptr ? preparer_->Stop() : absl::OkStatus();
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  // A segment that repair filled with a gap to its end has no room for a seal, and needs none.
  if (tail != sealed_tail_ && tail < end_) SealUntil(tail + 1);
  mapping_.reset();
  lock_.reset();
  return status;
}

uint64_t JournalWriter::LastStamp() const {
  if (last_record_ == stamp_known_at_) return known_stamp_ns_;
  return reinterpret_cast<const FrameHeader*>(data_ + (last_record_ - begin_) * kFrameUnitBytes)
      ->stamp_ns;
}

uint64_t JournalWriter::NextStamp() const {
  if (closed_) return 0;
  return std::max(options_.now_ns(), LastStamp() + 1);
}

}  // namespace bitactor::internal
