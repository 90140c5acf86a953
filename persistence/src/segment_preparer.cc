#include "segment_preparer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace bitactor::internal {
namespace {

constexpr std::chrono::milliseconds kLookAgain(100);
// How far ahead of the tail pages are kept present and writable. Much further does not help: the
// kernel writes pages back and protects them again before the tail is there.
constexpr uint64_t kPopulateAheadBytes = uint64_t{8} << 20;
// Of a new segment so much is made ready at a time, about half a millisecond's work.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
constexpr std::array<std::byte, kPieceBytes> kZeros{};

}  // namespace

SegmentPreparer::SegmentPreparer(SegmentMaker maker, uint32_t next_index,
                                 const std::atomic<uint64_t>& tail, bool keeps_pages_ready)
    : maker_(std::move(maker)),
      tail_(tail),
      keeps_pages_ready_(keeps_pages_ready),
      next_index_(next_index),
      thread_([this] { Run(); }) {}

SegmentPreparer::~SegmentPreparer() { Stop().IgnoreError(); }

void SegmentPreparer::SetCurrent(const Segment& segment) {
  MutexLock lock(&mutex_);
  current_ = segment;
  woken_ = true;
  changed_.SignalAll();
}

void SegmentPreparer::Wake(bool want_next) {
  MutexLock lock(&mutex_);
  woken_ = true;
  want_next_ = want_next_ || want_next;
  changed_.SignalAll();
}

absl::StatusOr<Segment> SegmentPreparer::Take() {
  MutexLock lock(&mutex_);
  // An error that is known stays the answer until the helper, in its own time, made the segment.
  want_next_ = true;
  while (!NextIsDecided()) {
    woken_ = true;
    changed_.SignalAll();
    changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kLookAgain);
  }
  if (!next_.has_value()) return error_;
  Segment taken = *std::exchange(next_, std::nullopt);
  ++next_index_;
  want_next_ = false;
  return taken;
}

absl::Status SegmentPreparer::Stop() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  MutexLock lock(&mutex_);
  if (!next_.has_value()) return absl::OkStatus();
  next_.reset();
  return maker_.files->Remove(SegmentPath(maker_.dir, next_index_));
}

void SegmentPreparer::Run() {
  MutexLock lock(&mutex_);
  while (!stop_) {
    woken_ = false;
    // Pages first: the writer is closer to them than to the next segment.
    PopulateAhead();
    if (want_next_ && !next_.has_value()) MakeNext();
    if (!woken_ && !stop_)
      changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kLookAgain);
  }
}

void SegmentPreparer::PopulateAhead() {
  // Relaxed: only a hint how far the writer is.
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  // A journal that stands still is left alone: pages made writable count as changed, and the kernel
  // would write them back again and again.
  if (!keeps_pages_ready_ || current_.mapping == nullptr || tail == populated_for_tail_) return;
  populated_for_tail_ = tail;
  const Segment segment = current_;
  const uint64_t begin = segment.view().begin;
  mutex_.Unlock();
  if (tail > begin) {
    segment.mapping->Populate((tail - begin) * kFrameUnitBytes, kPopulateAheadBytes);
  }
  mutex_.Lock();
}

// Writes zeros over the zeros of a new segment. The first store to a page that was only allocated
// costs 1 µs; written in long pieces beforehand, the pages cost less than half of that, and here
// instead of there. An error is no matter: then the pages come when they are needed.
void SegmentPreparer::MakeReady(const Segment& segment) {
  // Not the page of the header, which no reader may miss for a moment.
  for (uint64_t at = kSegmentAlignBytes; at < segment.header.segment_bytes;) {
    const uint64_t end =
        std::min((at / kPieceBytes + 1) * kPieceBytes, segment.header.segment_bytes);
    segment.file->WriteAt(at, {kZeros.data(), end - at}).IgnoreError();
    at = end;
    // The writer must not run out of pages meanwhile.
    MutexLock lock(&mutex_);
    if (stop_) return;
    PopulateAhead();
  }
  segment.mapping->Populate(0, kPopulateAheadBytes);
}

void SegmentPreparer::MakeNext() {
  const uint32_t index = next_index_;
  mutex_.Unlock();
  absl::StatusOr<Segment> made = maker_.Make(index);
  if (made.ok() && keeps_pages_ready_) MakeReady(*made);
  mutex_.Lock();
  error_ = made.status();
  if (made.ok()) next_ = *std::move(made);
  changed_.SignalAll();
}

}  // namespace bitactor::internal
