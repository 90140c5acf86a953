#include "bitactor/l2_mailbox/place.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric_state.h"

namespace bitactor {

absl::StatusOr<Place> Place::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  uint32_t shard = 0;
  uint64_t position = 0;
  if (colon == std::string_view::npos ||
      !absl::SimpleAtoi(absl::string_view(text.data(), colon), &shard) ||
      !absl::SimpleAtoi(absl::string_view(text.data() + colon + 1, text.size() - colon - 1),
                        &position) ||
      shard >= internal::kMaxShards) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::string_view(text.data(), text.size()),
        "\" is no place in a journal set: write SHARD:POSITION, for example 0:4711; SHARD is 0 to ",
        internal::kMaxShards - 1, ", POSITION as `bitactor journal dump` shows it"));
  }
  return Place{shard, Position(position)};
}

std::string Place::ToString() const { return absl::StrCat(shard, ":", position.ToString()); }

}  // namespace bitactor
