// What is wrong with an option, in one form for all of them.
#ifndef BITACTOR_L3_GENACTOR_OPTION_RANGE_H_
#define BITACTOR_L3_GENACTOR_OPTION_RANGE_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitactor::internal {

// `options`: the struct's name; `range`: what is allowed, such as "of 1 to 100".
template <typename T>
absl::Status OptionOutOfRange(const char* options, const char* member, T value, const char* range) {
  return absl::InvalidArgumentError(
      absl::StrCat(options, "::", member, " is ", value, "; give a value ", range));
}

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_OPTION_RANGE_H_
