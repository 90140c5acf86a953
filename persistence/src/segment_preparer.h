// Has the next segment and the next pages ready before the writer needs them.
#ifndef BITACTOR_PERSISTENCE_SEGMENT_PREPARER_H_
#define BITACTOR_PERSISTENCE_SEGMENT_PREPARER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/mutex.h"
#include "segment_store.h"

namespace bitactor::internal {

// Threads: the writer's, which calls, and the helper's own. The helper writes no byte of a segment
//   that the writer has.
// Progress: Take() waits only while the helper makes that very segment.
// Errors: what keeps a segment from being made is the answer of Take() until it is made; the helper
//   tries again every 100 ms.
class SegmentPreparer {
 public:
  // `tail` is the journal's position of the next append, and outlives this. Without
  // `keeps_pages_ready` it makes segments alone.
  SegmentPreparer(SegmentMaker maker, uint32_t next_index, const std::atomic<uint64_t>& tail,
                  bool keeps_pages_ready);
  ~SegmentPreparer();
  SegmentPreparer(const SegmentPreparer&) = delete;
  SegmentPreparer& operator=(const SegmentPreparer&) = delete;

  // The segment that is appended to from now on.
  void SetCurrent(const Segment& segment);
  // The tail moved on; with `want_next`, the next segment is needed soon.
  void Wake(bool want_next);
  // The next segment.
  absl::StatusOr<Segment> Take();
  // Ends the thread and removes a segment that was made and not taken.
  absl::Status Stop();

 private:
  void Run();
  void PopulateAhead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeReady(const Segment& segment) ABSL_LOCKS_EXCLUDED(mutex_);
  bool NextIsDecided() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return next_.has_value() || !error_.ok();
  }

  const SegmentMaker maker_;
  const std::atomic<uint64_t>& tail_;
  const bool keeps_pages_ready_;
  Mutex mutex_;
  CondVar changed_;  // of what mutex_ guards; waited for by both
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  Segment current_ ABSL_GUARDED_BY(mutex_);
  uint64_t populated_for_tail_ ABSL_GUARDED_BY(mutex_) = 0;
  bool want_next_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t next_index_ ABSL_GUARDED_BY(mutex_);
  std::optional<Segment> next_ ABSL_GUARDED_BY(mutex_);
  absl::Status error_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;  // last: runs as soon as it is there
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SEGMENT_PREPARER_H_
