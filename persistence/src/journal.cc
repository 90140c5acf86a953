#include "bitactor/persistence/journal.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "journal_defaults.h"
#include "replay_timing.h"

namespace bitactor {
absl::StatusOr<Journal> Journal::Open(const std::string& dir, JournalOptions options) {
  internal::SetDefaults(options);
  auto writer = internal::JournalWriter::Open(dir, options);
  if (!writer.ok()) return writer.status();
  return Journal(*std::move(writer));
}

absl::StatusOr<Position> Journal::Append(std::span<const std::byte> bytes) {
  if (absl::Status status = writer_->CommitFailure(); !status.ok()) return status;
  Frame frame{};
  frame.header.kind = FrameKind::kRecord;
  frame.header.message_id = tail().value();  // rises from record to record, and never repeats
  frame.header.stamp_ns = writer_->NextStamp();
  if (bytes.size() > kMaxPayloadBytes) return AppendBlock(frame.header, bytes);
  frame.header.size_bytes = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), frame.payload);
  Seal(frame);
  const Position position = AppendFrame(frame.header);
  if (position == Position::None()) return last_refusal();
  return position;
}

absl::StatusOr<Position> Journal::AppendBlock(const FrameHeader& fields,
                                              std::span<const std::byte> bytes,
                                              std::optional<uint32_t> crc32c) {
  if (bytes.empty() || bytes.size() > kMaxBlockBytes) {
    return absl::InvalidArgumentError(absl::StrCat(dir(), ": a block of ", bytes.size(),
                                                   " bytes; 1 to ", kMaxBlockBytes,
                                                   " are possible: split it"));
  }
  const Position position = writer_->AppendBlock(fields, bytes, crc32c);
  if (position == Position::None()) return last_refusal();
  return position;
}

absl::Status Journal::WaitDurable(Position position, absl::Duration at_most) const {
  if (position >= tail()) {
    return absl::OutOfRangeError(absl::StrCat(dir(), ": nothing was appended at position ",
                                              position.ToString(), "; the tail is at ",
                                              tail().ToString()));
  }
  return writer_->WaitDurable(position.value(), at_most);
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
