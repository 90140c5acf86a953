// A place in a journal set.
#ifndef BITACTOR_L2_MAILBOX_PLACE_H_
#define BITACTOR_L2_MAILBOX_PLACE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

// A place in a journal set, "SHARD:POSITION". "Until" it means the state just before that frame was
// handled.
struct Place {
  uint32_t shard = 0;
  Position position;

  // kInvalidArgument names what is wrong.
  static absl::StatusOr<Place> Parse(std::string_view text);
  std::string ToString() const;

  friend bool operator==(const Place&, const Place&) = default;
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_PLACE_H_
