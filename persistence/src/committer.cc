#include "committer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"

namespace bitactor::internal {

absl::StatusOr<std::unique_ptr<Committer>> Committer::Open(const std::string& dir,
                                                           const JournalOptions& options,
                                                           bool takes_lock) {
  FileSystem& files = *options.files;
  std::unique_ptr<FileLock> lock;
  if (takes_lock) {
    absl::StatusOr<std::unique_ptr<FileLock>> taken =
        files.Lock(JoinPath(dir, kCutLockName), options.now_ns());
    if (absl::IsUnavailable(taken.status())) {
      return absl::FailedPreconditionError(absl::StrCat(dir, ": this set of journals is in use by ",
                                                        taken.status().message(),
                                                        "; close it there"));
    }
    if (!taken.ok()) return taken.status();
    lock = *std::move(taken);
  }
  absl::StatusOr<std::unique_ptr<CutFile>> cut_file = CutFile::Open(files, dir);
  if (!cut_file.ok()) return cut_file.status();
  return std::unique_ptr<Committer>(
      new Committer(dir, options, std::move(lock), *std::move(cut_file)));
}

Committer::Committer(const std::string& dir, const JournalOptions& options,
                     std::unique_ptr<FileLock> lock, std::unique_ptr<CutFile> cut_file)
    : dir_(dir),
      options_(options),
      lock_(std::move(lock)),
      has_thread_(options.prepare_ahead),
      cut_file_(std::move(cut_file)) {
  {
    MutexLock committing(&commit_mutex_);
    NoteJoined();
  }
  if (has_thread_) thread_ = std::thread([this] { Run(); });
}

Committer::~Committer() {
  {
    MutexLock lock(&state_mutex_);
    stop_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  MutexLock committing(&commit_mutex_);
  for (const auto& member : members_) BITACTOR_CHECK(!member->open());
}

std::optional<CutEntry> Committer::EntryOf(uint32_t owner_number) {
  MutexLock committing(&commit_mutex_);
  const CutEntry* entry = cut_file_->cut().Find(owner_number);
  if (entry == nullptr) return std::nullopt;
  return *entry;
}

absl::StatusOr<CommitMember*> Committer::Join(std::unique_ptr<CommitMember> member, bool is_new) {
  MutexLock committing(&commit_mutex_);
  const uint32_t number = member->owner_number();
  for (const auto& other : members_) {
    if (!other->open() || other->owner_number() != number) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(member->dir(), ": owner number ", number, " is taken by ", other->dir(),
                     " in the set of ", dir_, ": give each journal its own"));
  }
  Cut next = cut_file_->cut();
  if (next.Find(number) == nullptr && next.entries.size() == kMaxCutEntries) {
    return absl::FailedPreconditionError(absl::StrCat(
        dir_, ": the cut names ", kMaxCutEntries,
        " journals, which is all that it can: ", "make a second set for ", member->dir()));
  }
  CutEntry& entry = next.At(number);
  const CutEntry before = entry;
  entry.boot_id = options_.files->BootId();
  entry.tail = member->acknowledged();
  if (is_new) entry.level = kLevelCommitted;
  if (before.boot_id != entry.boot_id || before.tail != entry.tail || before.level != entry.level) {
    next.stamp_ns = options_.now_ns();
    if (absl::Status status = cut_file_->Write(std::move(next)); !status.ok()) return status;
  }
  if (absl::Status status = member->WriteAgain(); !status.ok()) return status;
  CommitMember* joined = members_.emplace_back(std::move(member)).get();
  NoteJoined();
  return joined;
}

// While a journal of the cut is missing, moving the others on could take an effect into the cut whose
// cause the missing one has.
void Committer::NoteJoined() {
  absl::Status status = absl::OkStatus();
  for (const CutEntry& entry : cut_file_->cut().entries) {
    const bool joined = std::any_of(members_.begin(), members_.end(), [&](const auto& member) {
      return member->owner_number() == entry.owner_number;
    });
    if (joined) continue;
    status = absl::FailedPreconditionError(
        absl::StrCat(dir_, ": the cut names the journal of owner number ", entry.owner_number,
                     ", which is not open: open all journals of the set"));
    break;
  }
  MutexLock lock(&state_mutex_);
  not_joined_ = std::move(status);
}

absl::Status Committer::Leave(CommitMember& member) {
  MutexLock committing(&commit_mutex_);
  absl::Status status = absl::OkStatus();
  while (status.ok() && member.acknowledged() < member.ReadTail()) status = CommitLocked();
  member.Leave();
  // Into both slots, so that later damage of one of them takes nothing back.
  if (status.ok()) status = cut_file_->Write(cut_file_->cut());
  return status;
}

absl::Status Committer::Commit() {
  MutexLock committing(&commit_mutex_);
  return CommitLocked();
}

absl::Status Committer::CommitLocked() {
  if (absl::Status status = Ready(); !status.ok()) return status;
  if (!AnythingNew()) return absl::OkStatus();
  CommitCounters done;
  absl::Status status = SyncAndCut(done);
  if (!status.ok()) {
    status = absl::Status(
        status.code(),
        absl::StrCat(dir_, ": a commit failed: ", status.message(),
                     ": what was appended since the last one is not durable, and it is not tried "
                     "again: close the journal, see to the disk, open the journal again"));
  }
  {
    MutexLock lock(&state_mutex_);
    counters_.commits += done.commits;
    counters_.synced_bytes += done.synced_bytes;
    counters_.syncs += done.syncs;
    failure_ = status;
    changed_.SignalAll();
  }
  if (options_.on_commit) options_.on_commit(status);
  return status;
}

// Reads the tails for the first time.
bool Committer::AnythingNew() {
  bool any = false;
  for (const auto& member : members_) {
    if (member->open() && member->ReadTail() != member->acknowledged()) any = true;
  }
  return any;
}

absl::Status Committer::SyncAndCut(CommitCounters& done) {
  absl::StatusOr<Cut> next = ChooseCut();
  if (!next.ok()) return next.status();
  for (const auto& member : members_) {
    if (!member->open()) continue;
    if (absl::Status status = member->Sync(done.syncs, done.synced_bytes); !status.ok()) {
      return status;
    }
  }
  next->stamp_ns = options_.now_ns();
  if (absl::Status status = cut_file_->Write(*next); !status.ok()) return status;
  ++done.syncs;
  ++done.commits;
  for (const auto& member : members_) {
    if (member->open()) member->Acknowledge(next->Find(member->owner_number())->tail);
  }
  return absl::OkStatus();
}

// Reads the tails for the second time. Say f is in the cut and c caused it. c was appended before f,
// so before the first look at f's journal, so before the second look at its own. If c was behind the
// first look at its own, the bound is not above c's stamp, f's is later, and f is not in the cut. If
// c is behind a record g that is not below the bound, f was stamped later than g, and is not either.
absl::StatusOr<Cut> Committer::ChooseCut() {
  uint64_t bound = ~uint64_t{0};
  const auto is_open = [](const auto& member) { return member->open(); };
  if (std::count_if(members_.begin(), members_.end(), is_open) > 1) {
    for (const auto& member : members_) {
      if (!member->open()) continue;
      absl::StatusOr<uint64_t> least = member->LeastStampBehindSeen();
      if (!least.ok()) return least.status();
      bound = std::min(bound, *least);
    }
  }
  Cut next = cut_file_->cut();
  for (const auto& member : members_) {
    if (!member->open()) continue;
    absl::StatusOr<uint64_t> end = member->BeginningBelow(bound);
    if (!end.ok()) return end.status();
    CutEntry& entry = next.At(member->owner_number());
    entry.tail = *end;
    entry.level = kLevelCommitted;
  }
  return next;
}

absl::Status Committer::Ready() {
  MutexLock lock(&state_mutex_);
  return failure_.ok() ? not_joined_ : failure_;
}

absl::Status Committer::Failure() {
  MutexLock lock(&state_mutex_);
  return failure_;
}

absl::Status Committer::CommitBehind(const CommitMember& member, uint64_t position) {
  while (member.acknowledged() <= position) {
    if (absl::Status status = Commit(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Committer::WaitFor(const CommitMember& member, uint64_t position,
                                absl::Duration at_most) {
  if (!has_thread_) return CommitBehind(member, position);
  constexpr absl::Duration kLongest = absl::Hours(24 * 365);
  const auto until =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(at_most, kLongest));
  MutexLock lock(&state_mutex_);
  while (member.acknowledged() <= position) {
    if (!failure_.ok()) return failure_;
    if (!not_joined_.ok()) return not_joined_;
    if (std::chrono::steady_clock::now() >= until) {
      return absl::DeadlineExceededError(
          absl::StrCat(member.dir(), ": the record at position ", position,
                       " is not durable yet; wait again, or look at the disk's load"));
    }
    wanted_ = true;
    changed_.SignalAll();
    changed_.WaitUntil(&state_mutex_, until);
  }
  return absl::OkStatus();
}

void Committer::Wake() {
  MutexLock lock(&state_mutex_);
  wanted_ = true;
  changed_.SignalAll();
}

CommitCounters Committer::counters() {
  MutexLock lock(&state_mutex_);
  return counters_;
}

void Committer::Run() {
  MutexLock lock(&state_mutex_);
  while (!stop_) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(options_.group_delay_us);
    while (!stop_ && !wanted_ && std::chrono::steady_clock::now() < until)
      changed_.WaitUntil(&state_mutex_, until);
    if (stop_) break;
    wanted_ = false;
    state_mutex_.Unlock();
    // An error is kept, and said to whoever appends or waits.
    Commit().IgnoreError();
    state_mutex_.Lock();
  }
}

}  // namespace bitactor::internal
