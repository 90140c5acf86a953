#include "bitactor/persistence/history.h"

#include <utility>

#include "record_cursor.h"
#include "replay_timing.h"

namespace bitactor {

History::History(std::unique_ptr<internal::RecordCursor> cursor) : cursor_(std::move(cursor)) {}
History::History(std::unique_ptr<internal::RecordCursor> cursor,
                 std::unique_ptr<internal::ReplayTiming> timing)
    : cursor_(std::move(cursor)), timing_(std::move(timing)) {}
History::~History() = default;
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;

const Record* History::Next() {
  if (timing_ != nullptr) [[unlikely]]
    return timing_->Next(*cursor_);
  return cursor_->Next();
}

void History::Seek(Position position) {
  if (timing_ != nullptr) timing_->Forget();
  cursor_->Seek(position);
}

uint64_t History::gaps_skipped() const { return cursor_->gaps_skipped(); }
const absl::Status& History::status() const { return cursor_->status(); }

Position History::next_position() const {
  if (timing_ != nullptr && timing_->pending() != nullptr) return timing_->pending()->position();
  return cursor_->position();
}

}  // namespace bitactor
