// What an actor's Call throws when there is no answer.
#ifndef BITACTOR_L3_GENACTOR_CALL_FAILED_H_
#define BITACTOR_L3_GENACTOR_CALL_FAILED_H_

#include <exception>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace bitactor {

// Uncaught, it crashes the caller with the same status, as a failed gen_server:call exits its
// caller.
class CallFailed : public std::exception {
 public:
  explicit CallFailed(absl::Status status)
      : status_(std::move(status)), text_(status_.ToString()) {}

  const absl::Status& status() const { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  absl::Status status_;
  std::string text_;
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CALL_FAILED_H_
