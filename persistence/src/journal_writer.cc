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
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      files.Lock(JoinPath(dir, kLockName), options.now_ns());
  if (absl::IsUnavailable(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir, " is in use by ", lock.status().message(),
                     "; close it there, or read it with JournalReader or `bitactor journal dump ",
                     dir, "`, which need no lock"));
  }
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
  last_record_ = recovered.last_record;
  appended_before_ = appended_ - recovered.records;
  chain_ = recovered.chain;
  stamp_before_ns_ = recovered.stamp_before_ns;
  sealed_tail_ = recovered.sealed ? recovered.tail : 0;
  NoteProgress(recovered.tail);
}

JournalWriter::~JournalWriter() { Close().IgnoreError(); }

Position JournalWriter::AppendSlow(const FrameHeader& sealed, uint64_t units) {
  if (closed_) {
    return Refuse(absl::FailedPreconditionError(
        absl::StrCat(dir_, ": the journal was closed; open it again to append")));
  }
  if (!broken_.ok()) return Refuse(broken_);
  // Relaxed, here and below: this thread wrote it.
  if (tail_.load(std::memory_order_relaxed) + units > end_ - 1) {
    absl::StatusOr<Segment> next =
        preparer_ != nullptr ? preparer_->Take()
                             : maker_->Make(static_cast<uint32_t>(end_ / (end_ - begin_)));
    if (!next.ok()) return Refuse(next.status());
    SealUntil(end_);
    if (mapping_->broken()) return RefuseBroken();
    stamp_before_ns_ = LastStamp();
    UseSegment(*next, next->view().begin + 1);
  }
  const uint64_t at = tail_.load(std::memory_order_relaxed);
  NoteProgress(at);
  return AppendHere(sealed, at, units);
}

Position JournalWriter::Refuse(absl::Status why) {
  ++refused_;
  last_refusal_ = std::move(why);
  return Position::None();
}

// The records before this one may be gone as well; what is still there, only reading it can tell.
void JournalWriter::NoteBroken() {
  broken_ = DamageError(
      dir_, absl::StrCat(SegmentPath(dir_, static_cast<uint32_t>(begin_ / (end_ - begin_))),
                         ": the file was cut short, or its disk failed, while records were "
                         "appended to it; close the journal"));
  limit_ = 0;
}

Position JournalWriter::RefuseBroken() {
  NoteBroken();
  return Refuse(broken_);
}

void JournalWriter::UseSegment(const Segment& segment, uint64_t tail) {
  const SegmentView view = segment.view();
  mapping_ = segment.mapping;
  data_ = mapping_->data();
  begin_ = view.begin;
  end_ = view.begin + view.units;
  salt_ = view.salt;
  last_record_ = begin_;
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
  const SegmentView view{.data = data_, .units = end_ - begin_, .begin = begin_, .salt = salt_};
  Seal seal{.records = appended_ - appended_before_,
            .first_record = begin_,
            .last_record = last_record_,
            .last_stamp_ns = LastStamp(),
            .chain = chain_};
  if (seal.records > 0) {
    // Seals of earlier closings may stand before the first record.
    uint64_t unit = 1;
    while (view.FrameAt(unit).kind == FrameKind::kFooter) ++unit;
    seal.first_record = begin_ + unit;
  }
  const FrameHeader header = EncodeSeal(seal, static_cast<uint32_t>(begin_ / view.units));
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
  if (broken_.ok() && tail != sealed_tail_) SealUntil(tail + 1);
  if (broken_.ok() && mapping_->broken()) NoteBroken();
  if (status.ok()) status = broken_;
  mapping_.reset();
  lock_.reset();
  return status;
}

uint64_t JournalWriter::LastStamp() const {
  if (last_record_ == begin_) return stamp_before_ns_;
  return reinterpret_cast<const FrameHeader*>(data_ + (last_record_ - begin_) * kFrameUnitBytes)
      ->stamp_ns;
}

uint64_t JournalWriter::NextStamp() const {
  if (closed_) return 0;
  return std::max(options_.now_ns(), LastStamp() + 1);
}

}  // namespace bitactor::internal
