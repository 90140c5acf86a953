#include "cli/trace_stat.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace bitactor::cli {

void SpanStat::Add(const SpanRecord& span) {
  wait.Record(span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0);
  work.Record(span.duration_ns);
  if (span.outcome != SpanOutcome::kOk) ++not_ok;
}

TraceStat StatOf(std::span<const SpanRecord> spans, const SpanNameTable& names) {
  TraceStat stat;
  absl::flat_hash_set<uint64_t> traces;
  absl::flat_hash_set<uint64_t> ids;
  ids.reserve(spans.size());
  for (const SpanRecord& span : spans) ids.insert(span.span);
  for (const SpanRecord& span : spans) {
    const uint64_t end_ns = span.start_ns + span.duration_ns;
    stat.first_ns = stat.spans == 0 ? span.sent_ns : std::min(stat.first_ns, span.sent_ns);
    stat.last_ns = std::max(stat.last_ns, end_ns);
    ++stat.spans;
    if (span.trace != 0) traces.insert(span.trace);
    if (names.IsRoot(span.trace, span.parent_span)) {
      ++stat.roots;
    } else if (!ids.contains(span.parent_span)) {
      ++stat.orphans;
    }
    ++stat.outcomes[std::min(static_cast<size_t>(span.outcome), kSpanOutcomes - 1)];
    stat.all.Add(span);
    stat.by_type[span.type].Add(span);
    stat.by_actor[span.target].Add(span);
  }
  stat.traces = traces.size();
  return stat;
}

}  // namespace bitactor::cli
