// Any header fields as trace context and baggage: what is understood is sent on, and read again the
// same. One field a line; its first character chooses the name.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/tracing/baggage.h"
#include "bitactor/tracing/trace_context.h"

namespace {

std::vector<bitactor::HeaderField> FieldsOf(std::string_view text) {
  constexpr std::string_view kNames[] = {"traceparent", "tracestate", "TraceState", "baggage"};
  std::vector<bitactor::HeaderField> fields;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) {
      fields.push_back({kNames[static_cast<unsigned char>(line[0]) % 4], line.substr(1)});
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return fields;
}

void CheckContext(const std::vector<bitactor::HeaderField>& fields) {
  const bitactor::ParsedTraceContext in = bitactor::ParseTraceContext(fields);
  BITACTOR_CHECK(in.valid == in.reason.empty());
  if (!in.valid) {
    BITACTOR_CHECK(in.context == bitactor::TraceContext());
    return;
  }
  constexpr uint64_t kSpanId = 0x2a;
  const bitactor::EmittedTraceContext out = bitactor::EmitTraceContext(in.context, kSpanId);
  BITACTOR_CHECK_EQ(out.traceparent.size(), 55u);
  BITACTOR_CHECK_LE(out.tracestate.size(), bitactor::kMaxTracestateChars);
  const std::vector<bitactor::HeaderField> again = {{"traceparent", out.traceparent},
                                                    {"tracestate", out.tracestate}};
  const bitactor::ParsedTraceContext back = bitactor::ParseTraceContext(again);
  BITACTOR_CHECK(back.valid && back.tracestate_reason.empty());
  BITACTOR_CHECK(back.context.trace_id == in.context.trace_id);
  BITACTOR_CHECK_EQ(back.context.parent_id, kSpanId);
  BITACTOR_CHECK_LE(back.context.tracestate.size(), bitactor::kMaxTracestateMembers);
  // Once our member is there and all fits, nothing changes any more.
  const bitactor::EmittedTraceContext fixed = bitactor::EmitTraceContext(back.context, kSpanId);
  BITACTOR_CHECK(fixed.traceparent == out.traceparent && fixed.tracestate == out.tracestate);
  BITACTOR_CHECK_EQ(fixed.cut_members, 0u);
}

void CheckBaggage(const std::vector<bitactor::HeaderField>& fields) {
  const bitactor::ParsedBaggage in = bitactor::ParseBaggage(fields);
  BITACTOR_CHECK((in.dropped_members == 0) == in.reason.empty());
  const bitactor::EmittedBaggage out = bitactor::EmitBaggage(in.members);
  const std::vector<bitactor::HeaderField> again = {{"baggage", out.baggage}};
  const bitactor::ParsedBaggage back = bitactor::ParseBaggage(again);
  BITACTOR_CHECK_EQ(back.dropped_members, 0u);
  BITACTOR_CHECK_EQ(back.members.size() + out.cut_members, in.members.size());
  for (size_t i = 0; i < back.members.size(); ++i) {
    BITACTOR_CHECK(back.members[i] == in.members[i]);
    const std::string text = bitactor::DecodeBaggageValue(back.members[i].value);
    BITACTOR_CHECK(bitactor::DecodeBaggageValue(bitactor::EncodeBaggageValue(text)) == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<bitactor::HeaderField> fields =
      FieldsOf({reinterpret_cast<const char*>(data), size});
  CheckContext(fields);
  CheckBaggage(fields);
  return 0;
}
