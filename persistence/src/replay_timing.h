// When a replay that waits gives the next record.
#ifndef BITACTOR_PERSISTENCE_REPLAY_TIMING_H_
#define BITACTOR_PERSISTENCE_REPLAY_TIMING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "bitactor/persistence/history.h"
#include "bitactor/persistence/record.h"
#include "bitactor/persistence/replay_options.h"
#include "record_cursor.h"

namespace bitactor::internal {

// What Journal::Replay and JournalReader::Replay return.
History MakeHistory(FileSystem& files, const std::string& dir, uint64_t segment_bytes,
                    const ReplayOptions& options, Position end, RecordCursor::End end_kind);

class ReplayTiming {
 public:
  // kInvalidArgument: an option that makes no sense.
  static absl::Status Check(const ReplayOptions& options);
  static bool IsNeeded(const ReplayOptions& options) {
    return options.pace.has_value() || options.follow.has_value();
  }

  explicit ReplayTiming(const ReplayOptions& options) : options_(options) {}

  // The next record of the cursor when its time has come; null when the range ended or was stopped.
  const Record* Next(RecordCursor& cursor);
  // A record that was taken from the cursor and not given yet, or null.
  const Record* pending() const { return pending_; }
  void Forget() { pending_ = nullptr; }

 private:
  const Record* NextOrWait(RecordCursor& cursor);
  void SetDue(uint64_t stamp_ns);
  bool WaitUntil(uint64_t time_ns);

  const ReplayOptions options_;
  const Record* pending_ = nullptr;
  bool started_ = false;
  uint64_t due_ns_ = 0;         // of the record that was taken last, by the clock
  uint64_t last_stamp_ns_ = 0;  // the latest so far
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_REPLAY_TIMING_H_
