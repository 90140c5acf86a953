// The verifier with every damage handed out, for repair.
#ifndef BITACTOR_PERSISTENCE_VERIFY_EACH_H_
#define BITACTOR_PERSISTENCE_VERIFY_EACH_H_

#include <cstdint>
#include <functional>
#include <string>

#include "bitactor/persistence/journal_verify.h"

namespace bitactor::internal {

enum class WhoWrites : uint8_t {
  kAnyone,  // if somebody has the lock, what looks torn may be a record that is being written
  kNobody,  // the caller has the lock, and writes nothing
};

// As VerifyJournal; `each` (may be empty) gets all of the damage, also what the report has no room
// for, in the order of the journal.
absl::StatusOr<VerifyReport> VerifyEach(FileSystem& files, const std::string& dir,
                                        const VerifyProgress& progress, WhoWrites who_writes,
                                        const std::function<void(const Damage&)>& each);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_VERIFY_EACH_H_
