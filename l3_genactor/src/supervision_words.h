// What the parts of the supervision tree say and ask alike.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_WORDS_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_WORDS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/supervision_tree.h"

namespace bitactor::internal {

constexpr bool IsActiveChild(ChildState state) {
  return state == ChildState::kRunning || state == ChildState::kStopping;
}

inline bool Contains(const auto& children, const Child* child) {
  return std::any_of(children.begin(), children.end(),
                     [child](const ChildPtr& c) { return c.get() == child; });
}

inline void Remove(auto& children, const Child* child) {
  std::erase_if(children, [child](const ChildPtr& c) { return c.get() == child; });
}

inline absl::Status NoSuchChild(const Supervisor& supervisor, std::string_view name) {
  return absl::NotFoundError(absl::StrCat("not_found: the supervisor \"", supervisor.name,
                                          "\" has no child \"", std::string(name), "\""));
}

inline absl::Status HasEnded(const Supervisor& supervisor) {
  return absl::FailedPreconditionError(
      absl::StrCat("the supervisor \"", supervisor.name, "\" ",
                   supervisor.gave_up ? "gave up: its children failed too often (restarts)"
                                      : "has ended or is about to",
                   "; its own supervisor can start it again"));
}

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_WORDS_H_
