// Which names a regular expression of the user finds.
#ifndef BITACTOR_BENCH_NAME_FILTER_H_
#define BITACTOR_BENCH_NAME_FILTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bitactor::bench {

// The names that contain a match of the ECMAScript expression, in their order.
// Errors: kInvalidArgument when it is no such expression.
absl::StatusOr<std::vector<std::string>> NamesMatching(const std::string& expression,
                                                       const std::vector<std::string>& names);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_NAME_FILTER_H_
