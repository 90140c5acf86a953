#include "observe/trace_keeper.h"

#include <algorithm>
#include <map>

namespace bitactor::observe {
namespace {

uint64_t EndOf(const SpanRecord& span) { return span.start_ns + span.duration_ns; }

// Of spans of one trace; not empty.
KeptTrace Make(std::span<const SpanRecord> spans) {
  KeptTrace kept;
  kept.trace = spans.front().trace;
  kept.spans.assign(spans.begin(), spans.end());
  std::sort(kept.spans.begin(), kept.spans.end(), [](const SpanRecord& a, const SpanRecord& b) {
    return a.start_ns != b.start_ns ? a.start_ns < b.start_ns : a.span < b.span;
  });
  kept.begin_ns = kept.spans.front().sent_ns;
  for (const SpanRecord& span : kept.spans) {
    kept.begin_ns = std::min({kept.begin_ns, span.sent_ns, span.start_ns});
    kept.end_ns = std::max(kept.end_ns, EndOf(span));
  }
  if (kept.spans.size() > TraceKeeper::kMaxTraceSpans) {
    kept.spans.resize(TraceKeeper::kMaxTraceSpans);
  }
  // A parent was sent before what it sent. It may have begun after that by its record, which shares
  // the time of its batch.
  std::vector<const SpanRecord*> by_sent;
  for (const SpanRecord& span : kept.spans) by_sent.push_back(&span);
  std::sort(by_sent.begin(), by_sent.end(),
            [](const SpanRecord* a, const SpanRecord* b) { return a->sent_ns < b->sent_ns; });
  std::map<uint64_t, uint32_t> depth_of;
  for (const SpanRecord* span : by_sent) {
    const auto parent = depth_of.find(span->parent_span);
    depth_of[span->span] = parent != depth_of.end() ? parent->second + 1 : 0;
  }
  for (const SpanRecord& span : kept.spans) kept.depths.push_back(depth_of.at(span.span));
  return kept;
}

}  // namespace

void TraceKeeper::Add(std::span<const SpanRecord> spans, uint64_t now_ns) {
  std::erase_if(traces_,
                [now_ns](const KeptTrace& kept) { return kept.end_ns + kKeptNs < now_ns; });
  std::vector<SpanRecord> by_trace;
  for (const SpanRecord& span : spans) {
    if (span.trace != 0) by_trace.push_back(span);
  }
  std::sort(by_trace.begin(), by_trace.end(),
            [](const SpanRecord& a, const SpanRecord& b) { return a.trace < b.trace; });
  for (size_t begin = 0; begin < by_trace.size();) {
    size_t end = begin + 1;
    uint64_t first_ns = by_trace[begin].sent_ns;
    uint64_t last_ns = EndOf(by_trace[begin]);
    for (; end < by_trace.size() && by_trace[end].trace == by_trace[begin].trace; ++end) {
      first_ns = std::min(first_ns, by_trace[end].sent_ns);
      last_ns = std::max(last_ns, EndOf(by_trace[end]));
    }
    const bool slow = traces_.size() < kKept || last_ns - first_ns > traces_.back().total_ns();
    if (slow) {
      KeptTrace kept = Make(std::span(by_trace).subspan(begin, end - begin));
      const auto known = std::find_if(traces_.begin(), traces_.end(), [&](const KeptTrace& other) {
        return other.trace == kept.trace;
      });
      if (known == traces_.end()) {
        traces_.push_back(std::move(kept));
      } else if (kept.spans.size() > known->spans.size()) {
        *known = std::move(kept);
      }
      std::stable_sort(traces_.begin(), traces_.end(), [](const KeptTrace& a, const KeptTrace& b) {
        return a.total_ns() > b.total_ns();
      });
      if (traces_.size() > kKept) traces_.pop_back();
    }
    begin = end;
  }
}

}  // namespace bitactor::observe
