#include "bitactor/persistence/journal.h"

#include <algorithm>
#include <cstring>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "record_cursor.h"
#include "system_sources.h"

namespace bitactor {

absl::StatusOr<Journal> Journal::Open(const std::string& dir, JournalOptions options) {
  if (!options.random) options.random = internal::SystemRandom;
  if (!options.now_ns) options.now_ns = internal::SystemTime;
  auto writer = internal::JournalWriter::Open(dir, options);
  if (!writer.ok()) return writer.status();
  return Journal(*std::move(writer));
}

absl::StatusOr<Position> Journal::Append(std::span<const std::byte> bytes) {
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
                                              std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() > kMaxBlockBytes) {
    return absl::InvalidArgumentError(absl::StrCat(dir(), ": a block of ", bytes.size(),
                                                   " bytes; 1 to ", kMaxBlockBytes,
                                                   " are possible: split it"));
  }
  const Position position = writer_->AppendBlock(fields, bytes);
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
  return History(std::make_unique<internal::RecordCursor>(
      *writer_->options().files, dir(), writer_->segment_bytes(), options.from,
      std::min(options.until, tail()), internal::RecordCursor::End::kCommitted, options.skip_gaps));
}

std::string Position::ToString() const { return *this == None() ? "none" : absl::StrCat(value_); }

std::ostream& operator<<(std::ostream& out, Position position) {
  return out << position.ToString();
}

}  // namespace bitactor
