// The span: what is kept of one dispatched message.
#ifndef BITACTOR_TRACING_SPAN_H_
#define BITACTOR_TRACING_SPAN_H_

#include <cstdint>
#include <type_traits>

namespace bitactor {

// How a dispatch ended. Values are stored in span files: append only.
enum class SpanOutcome : uint8_t {
  kOk = 0,
  kCrashed = 1,       // the handler threw
  kDeadLettered = 2,  // the message met nobody who could take it
  kOverrun = 3,       // handled, over its budget
};
inline constexpr SpanOutcome kLastSpanOutcome = SpanOutcome::kOverrun;
const char* SpanOutcomeName(SpanOutcome outcome);

// 64 bytes, little-endian when stored. Times are ns since 1970 on the fabric's hybrid clock.
struct SpanRecord {
  uint64_t trace = 0;        // 0: the message belongs to no trace
  uint64_t span = 0;         // of the message, never 0: SpanIdOf(source, message_id)
  uint64_t parent_span = 0;  // under which it was sent, 0: root
  uint64_t sent_ns = 0;      // the message's stamp
  uint64_t start_ns = 0;     // of the dispatch
  uint32_t duration_ns = 0;  // of the dispatch; the largest value stands for all above
  uint32_t source = 0;       // actor id
  uint32_t target = 0;       // actor id
  uint32_t type = 0;         // of the payload
  uint16_t shard = 0;
  uint8_t kind = 0;  // FrameKind
  SpanOutcome outcome = SpanOutcome::kOk;
  uint32_t reserved = 0;
};
static_assert(sizeof(SpanRecord) == 64);
static_assert(std::has_unique_object_representations_v<SpanRecord>, "no padding");
static_assert(std::is_trivially_copyable_v<SpanRecord>);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_SPAN_H_
