// The verifier with every damage handed out, for repair.
#ifndef BITACTOR_PERSISTENCE_VERIFY_EACH_H_
#define BITACTOR_PERSISTENCE_VERIFY_EACH_H_

#include <functional>
#include <string>

#include "bitactor/persistence/journal_verify.h"

namespace bitactor::internal {

// As VerifyJournal; `each` (may be empty) gets all of the damage, also what the report has no room
// for, in the order of the journal.
absl::StatusOr<VerifyReport> VerifyEach(FileSystem& files, const std::string& dir,
                                        const VerifyProgress& progress,
                                        const std::function<void(const Damage&)>& each);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_VERIFY_EACH_H_
