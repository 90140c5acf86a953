// A place in a journal set, and what was before it.
#ifndef BITACTOR_L2_MAILBOX_PLACE_H_
#define BITACTOR_L2_MAILBOX_PLACE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/journal_set.h"
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

namespace internal {

// The set of frames before a place: of the place's own journal those at lower positions; of every
// other one the longest beginning whose stamps are below `bound_ns`.
//
// bound = max(stamp of the place, 1 + greatest stamp before it in its journal). Whatever is in the
// set has its causes in the set: a handler's sends are stamped above all that its shard had seen.
// And each journal contributes a beginning, so every actor is in a state that it really was in.
struct Cut {
  // Where the set ends in one journal. `open`: all that the journal had when it was looked at is in
  // the set, and so is what comes from `position` on while its stamps are below the bound.
  struct End {
    Position position;
    bool open = false;
  };

  Place place;
  uint64_t bound_ns = 0;

  static absl::StatusOr<Cut> At(FileSystem& files, const std::string& set_dir, const Place& place);
  bool Contains(const RecoveredFrame& recovered) const {
    return recovered.journal == place.shard ? recovered.position < place.position
                                            : recovered.frame.header.stamp_ns < bound_ns;
  }
  // By journal. Reads each up to there.
  absl::StatusOr<std::map<uint32_t, End>> Ends(FileSystem& files, const std::string& set_dir) const;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_PLACE_H_
