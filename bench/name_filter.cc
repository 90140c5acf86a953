// A file of its own because g++ 12 warns about std::regex itself under the sanitizers: see the
// CMake file.
#include "bench/name_filter.h"

#include <regex>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitactor::bench {

absl::StatusOr<std::vector<std::string>> NamesMatching(const std::string& expression,
                                                       const std::vector<std::string>& names) {
  try {
    const std::regex pattern(expression);
    std::vector<std::string> matching;
    for (const std::string& name : names) {
      if (std::regex_search(name, pattern)) matching.push_back(name);
    }
    return matching;
  } catch (const std::regex_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the filter '", expression, "' is not an ECMAScript regular expression (",
                     error.what(), "); write for example '^l2/' or 'call|cast'"));
  }
}

}  // namespace bitactor::bench
