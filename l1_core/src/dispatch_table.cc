#include "bitactor/l1_core/dispatch_table.h"

#include <utility>

#include "bitactor/l1_core/check.h"

namespace bitactor {

const char* RegisterResultName(RegisterResult result) {
  switch (result) {
    case RegisterResult::kOk:
      return "ok";
    case RegisterResult::kDuplicate:
      return "duplicate";
    case RegisterResult::kOutOfRange:
      return "out of range";
    case RegisterResult::kAfterStart:
      return "after start";
    case RegisterResult::kNotFound:
      return "not found";
  }
  return "unknown";
}

DispatchTable::DispatchTable(size_t kinds)
    : kinds_(kinds), entries_(std::make_unique<Entry[]>(kinds)) {
  BITACTOR_CHECK_LE(size_t{1}, kinds);
  BITACTOR_CHECK_LE(kinds, size_t{65536});
}

RegisterResult DispatchTable::Register(SignalKind kind, Route route) {
  if (frozen_) return RegisterResult::kAfterStart;
  if (kind >= kinds_) return RegisterResult::kOutOfRange;
  if (entries_[kind].route.Get() != Route::kUnknown) return RegisterResult::kDuplicate;
  entries_[kind].route.Set(route);
  return RegisterResult::kOk;
}

RegisterResult DispatchTable::SetHandler(SignalKind kind, SignalHandler handler) {
  const RegisterResult result = Register(kind, Route::kHandler);
  if (result == RegisterResult::kOk) entries_[kind].handler = std::move(handler);
  return result;
}

RegisterResult DispatchTable::Unregister(SignalKind kind) {
  if (kind >= kinds_) return RegisterResult::kOutOfRange;
  if (entries_[kind].route.Get() == Route::kUnknown) return RegisterResult::kNotFound;
  entries_[kind].route.Set(Route::kUnknown);
  return RegisterResult::kOk;
}

RegisterResult DispatchTable::SetBypassed(SignalKind kind, Bypass cause) {
  const RegisterResult result = Register(kind, Route::kBypass);
  if (result == RegisterResult::kOk) entries_[kind].always = cause;
  return result;
}

}  // namespace bitactor
