#include "bitactor/persistence/journal_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "commit_member.h"
#include "committer.h"
#include "cut_file.h"
#include "journal_defaults.h"
#include "recovery.h"
#include "segment_preparer.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

// How often the helper hears where the tail is: often enough to be ahead of it always, seldom
// enough that the wake-up costs nothing per record.
constexpr uint64_t kProgressUnits = (uint64_t{1} << 20) / kFrameUnitBytes;

bool Commits(const JournalOptions& options) { return options.durability != Durability::kProcess; }

// What the cuts on the disk have of the journal: that of its set, if it was in one, or its own.
absl::StatusOr<std::optional<CutEntry>> FindCutEntry(const std::string& dir,
                                                     const JournalOptions& options,
                                                     Committer* set) {
  if (set != nullptr) {
    if (std::optional<CutEntry> entry = set->EntryOf(options.owner_number)) return entry;
  }
  absl::StatusOr<std::optional<Cut>> cut = ReadCut(*options.files, dir);
  if (!cut.ok()) return cut.status();
  if (!cut->has_value()) return std::nullopt;
  // Also with another set: the cut of its own would name it.
  if ((*cut)->moved) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir, ": this journal belongs to ", set == nullptr ? "a" : "another",
                     " set, whose cut says what of it is durable: open it with ",
                     "that set's GroupCommit in JournalOptions::group, at level group or each; if "
                     "that cut is lost, move ",
                     JoinPath(dir, kCutName), " away to keep all that is sound"));
  }
  const CutEntry* entry = (*cut)->Find(options.owner_number);
  if (entry == nullptr) return std::nullopt;
  return *entry;
}

// At kProcess: leaves word of this start of the machine, and of what is on the disk for sure, where
// the segments do not say so or an earlier cut says more.
absl::Status NoteOpening(const std::string& dir, const JournalOptions& options,
                         const std::optional<CutEntry>& before, const RecoveredJournal& recovered) {
  const uint64_t boot_id = options.files->BootId();
  if (!before.has_value() && !recovered.report.machine_restarted) return absl::OkStatus();
  if (before.has_value() && before->level == kLevelProcess && before->boot_id == boot_id) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<CutFile>> file = CutFile::Open(*options.files, dir);
  if (!file.ok()) return file.status();
  Cut cut = (*file)->cut();
  cut.stamp_ns = options.now_ns();
  CutEntry& entry = cut.At(options.owner_number);
  entry.level = kLevelProcess;
  entry.boot_id = boot_id;
  entry.tail = recovered.synced;
  return (*file)->Write(std::move(cut));
}

// In the directory of a journal that went into a set: its own cut counts no more.
absl::Status NoteSet(const std::string& dir, const JournalOptions& options) {
  absl::StatusOr<std::unique_ptr<CutFile>> file = CutFile::Open(*options.files, dir);
  if (!file.ok()) return file.status();
  if ((*file)->cut().moved) return absl::OkStatus();
  return (*file)->Write({.stamp_ns = options.now_ns(), .moved = true, .entries = {}});
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
                     .now_ns = options.now_ns,
                     .syncs = Commits(options)};
  Committer* const set =
      Commits(options) && options.group != nullptr ? options.group->committer_.get() : nullptr;
  absl::StatusOr<std::optional<CutEntry>> cut = FindCutEntry(dir, options, set);
  if (!cut.ok()) return cut.status();
  absl::StatusOr<RecoveredJournal> recovered =
      RecoverJournal(maker, cut->has_value() ? &**cut : nullptr);
  if (!recovered.ok()) return recovered.status();
  maker.segment_bytes = recovered->segment.header.segment_bytes;
  const uint64_t synced = recovered->synced;
  const bool is_new = recovered->report.segments == 0;
  if (!Commits(options)) {
    if (absl::Status status = NoteOpening(dir, options, *cut, *recovered); !status.ok()) {
      return status;
    }
  }
  std::unique_ptr<JournalWriter> writer(
      new JournalWriter(options, std::move(maker), *std::move(lock), *std::move(recovered)));
  if (Commits(options)) {
    if (absl::Status status = writer->JoinCommits(set, synced, is_new); !status.ok()) return status;
  }
  return writer;
}

absl::Status JournalWriter::JoinCommits(Committer* set, uint64_t synced, bool is_new) {
  FileSystem& files = *options_.files;
  // Its name in there has to be on the disk, too.
  if (absl::Status status = files.SyncDirectory(ParentOf(dir_)); !status.ok()) return status;
  committer_ = set;
  if (set == nullptr) {
    absl::StatusOr<std::unique_ptr<Committer>> own =
        Committer::Open(dir_, options_, /*takes_lock=*/false);
    if (!own.ok()) return own.status();
    own_committer_ = *std::move(own);
    committer_ = own_committer_.get();
  }
  absl::StatusOr<CommitMember*> member = committer_->Join(
      std::make_unique<CommitMember>(files, dir_, options_.owner_number,
                                     segment_bytes_ / kFrameUnitBytes, tail_, synced, synced),
      is_new);
  if (!member.ok()) return member.status();
  member_ = *member;
  return set != nullptr ? NoteSet(dir_, options_) : committer_->Commit();
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
        *maker_, recovered.segment.header.segment_index + 1, tail_,
        // Pages that are made writable count as changed: each commit would write them.
        /*keeps_pages_ready=*/options.durability == Durability::kProcess);
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
  const Position position = AppendHere(sealed, at, units);
  if (position != Position::None() && options_.durability == Durability::kEach) {
    if (absl::Status status = committer_->CommitBehind(*member_, at); !status.ok()) {
      return Refuse(std::move(status));
    }
  }
  return position;
}

absl::Status JournalWriter::MakeRoom(uint64_t units) {
  if (closed_) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir_, ": the journal was closed; open it again to append"));
  }
  if (!broken_.ok()) return broken_;
  if (member_ != nullptr) {
    const bool each = options_.durability == Durability::kEach;
    if (absl::Status status = each ? committer_->Ready() : committer_->Failure(); !status.ok()) {
      return status;
    }
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
  if (mapping_->broken()) {
    NoteBroken();
    return broken_;
  }
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
  if (preparer_ != nullptr) {
    const uint64_t segment_units = end_ - begin_;
    limit_ = std::min(limit_, at + std::min(kProgressUnits, segment_units / 8));
    preparer_->Wake(/*want_next=*/at - begin_ >= segment_units / 4);
  }
  if (options_.durability == Durability::kGroup) LimitToGroup(at);
  if (options_.durability == Durability::kEach) limit_ = 0;  // W4
}

// Tells the committer when group_records wait for it. A record has at least one unit, so behind the
// limit there are at most as many as may still come.
void JournalWriter::LimitToGroup(uint64_t at) {
  uint64_t waiting = appended_ - appended_at_wake_;
  if (waiting >= options_.group_records) {
    if (committer_ != nullptr) committer_->Wake();
    appended_at_wake_ = appended_;
    waiting = 0;
  }
  limit_ = std::min(limit_, at + options_.group_records - waiting);
}

Position JournalWriter::durable() const {
  return member_ != nullptr ? Position(member_->acknowledged()) : tail();
}

absl::Status JournalWriter::WaitDurable(uint64_t position, absl::Duration at_most) const {
  if (member_ == nullptr) return absl::OkStatus();
  return committer_->WaitFor(*member_, position, at_most);
}

CommitCounters JournalWriter::commit_counters() const {
  return committer_ != nullptr ? committer_->counters() : CommitCounters{};
}

absl::Status JournalWriter::CommitFailure() const {
  return member_ != nullptr ? committer_->Failure() : absl::OkStatus();
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
  if (broken_.ok() && tail != sealed_tail_ && tail < end_) SealUntil(tail + 1);
  if (broken_.ok() && mapping_->broken()) NoteBroken();
  if (status.ok()) status = broken_;
  if (member_ != nullptr) {
    const absl::Status committed = committer_->Leave(*member_);
    if (status.ok()) status = committed;
  }
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
