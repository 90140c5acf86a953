#include "bitactor/persistence/journal.h"

#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "replay_timing.h"

namespace bitactor {
namespace {

uint64_t SystemRandom() {
  uint64_t value = 0;
  // For 8 bytes it neither fails nor comes short once the machine has started.
  BITACTOR_CHECK_EQ(::getrandom(&value, sizeof(value), 0), static_cast<ssize_t>(sizeof(value)));
  return value;
}

uint64_t SystemTime() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

absl::StatusOr<Journal> Journal::Open(const std::string& dir, JournalOptions options) {
  if (!options.random) options.random = SystemRandom;
  if (!options.now_ns) options.now_ns = SystemTime;
  auto writer = internal::JournalWriter::Open(dir, options);
  if (!writer.ok()) return writer.status();
  return Journal(*std::move(writer));
}

absl::StatusOr<Position> Journal::Append(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxPayloadBytes) {
    return absl::InvalidArgumentError(absl::StrCat(dir(), ": a record of ", bytes.size(),
                                                   " bytes; 0 to ", kMaxPayloadBytes,
                                                   " are possible: split it"));
  }
  Frame frame{};
  frame.header.kind = FrameKind::kRecord;
  frame.header.size_bytes = static_cast<uint8_t>(bytes.size());
  frame.header.message_id = tail().value();  // rises from record to record, and never repeats
  frame.header.stamp_ns = writer_->NextStamp();
  std::copy(bytes.begin(), bytes.end(), frame.payload);
  Seal(frame);
  const Position position = AppendFrame(frame.header);
  if (position == Position::None()) return last_refusal();
  return position;
}

absl::Status Journal::WaitDurable(Position position) const {
  if (position < tail()) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(dir(), ": nothing was appended at position ",
                                            position.ToString(), "; the tail is at ",
                                            tail().ToString()));
}

History Journal::Replay(ReplayOptions options) const {
  // Who follows reads beyond the tail of now, and cannot know what has been appended there.
  const bool to_tail = !options.follow.has_value();
  return internal::MakeHistory(
      *writer_->options().files, dir(), writer_->segment_bytes(), options,
      to_tail ? std::min(options.until, tail()) : options.until,
      to_tail ? internal::RecordCursor::End::kCommitted : internal::RecordCursor::End::kOpen);
}

std::string Position::ToString() const { return *this == None() ? "none" : absl::StrCat(value_); }

std::ostream& operator<<(std::ostream& out, Position position) {
  return out << position.ToString();
}

}  // namespace bitactor
