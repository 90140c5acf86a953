#include "bitactor/tracing/span.h"

namespace bitactor {

const char* SpanOutcomeName(SpanOutcome outcome) {
  switch (outcome) {
    case SpanOutcome::kOk:
      return "ok";
    case SpanOutcome::kCrashed:
      return "crashed";
    case SpanOutcome::kDeadLettered:
      return "dead-lettered";
    case SpanOutcome::kOverrun:
      return "overrun";
  }
  return "unknown";
}

}  // namespace bitactor
