#include "trace_layout.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace bitactor::internal {
namespace {

// How long the slice of a send from outside is drawn, where there is room.
constexpr uint64_t kSendSliceNs = 100;
constexpr size_t kNone = ~size_t{0};

Track DispatchTrack(const SpanRecord& span) { return {Track::Kind::kShard, span.shard}; }
Track SenderTrack(const SpanRecord& span) { return {Track::Kind::kSender, span.source}; }
bool IsRoot(const SpanRecord& span) { return span.parent_span == 0; }

// A wrong time in a file must not make later sums wrap around.
uint64_t Plausible(uint64_t time_ns) { return std::min(time_ns, uint64_t{1} << 63); }

std::vector<Track> TracksOf(std::span<const SpanRecord> spans) {
  std::vector<Track> tracks;
  for (const SpanRecord& span : spans) {
    tracks.push_back(DispatchTrack(span));
    if (IsRoot(span)) tracks.push_back(SenderTrack(span));
  }
  std::sort(tracks.begin(), tracks.end());
  tracks.erase(std::unique(tracks.begin(), tracks.end()), tracks.end());
  return tracks;
}

// Makes the slices of each track disjoint and at least 1 ns long. They are in order.
void Separate(std::vector<Slice>& slices) {
  for (size_t i = 0; i < slices.size(); ++i) {
    Slice& slice = slices[i];
    if (i > 0 && slices[i - 1].track == slice.track) {
      slice.begin_ns = std::max(slice.begin_ns, slices[i - 1].end_ns);
    }
    slice.end_ns = std::max(slice.end_ns, slice.begin_ns);
    if (i + 1 < slices.size() && slices[i + 1].track == slice.track) {
      slice.end_ns = std::min(slice.end_ns, slices[i + 1].begin_ns);
    }
    slice.end_ns = std::max(slice.end_ns, slice.begin_ns + 1);
  }
}

struct SpanPlace {
  uint64_t span;
  size_t slice;
};

// The first slice of each span id among the dispatches, by id.
std::vector<SpanPlace> IndexSpans(std::span<const SpanRecord> spans,
                                  const std::vector<size_t>& dispatch_slices) {
  std::vector<SpanPlace> places;
  places.reserve(spans.size());
  for (size_t i = 0; i < spans.size(); ++i) places.push_back({spans[i].span, dispatch_slices[i]});
  std::stable_sort(places.begin(), places.end(),
                   [](const SpanPlace& a, const SpanPlace& b) { return a.span < b.span; });
  places.erase(std::unique(places.begin(), places.end(),
                           [](const SpanPlace& a, const SpanPlace& b) { return a.span == b.span; }),
               places.end());
  return places;
}

size_t FindSpan(const std::vector<SpanPlace>& places, uint64_t span) {
  const auto found =
      std::lower_bound(places.begin(), places.end(), span,
                       [](const SpanPlace& place, uint64_t wanted) { return place.span < wanted; });
  return found != places.end() && found->span == span ? found->slice : kNone;
}

}  // namespace

TraceLayout LayOut(std::span<const SpanRecord> spans) {
  TraceLayout layout;
  layout.tracks = TracksOf(spans);
  const auto track_index = [&](Track track) {
    return static_cast<size_t>(std::lower_bound(layout.tracks.begin(), layout.tracks.end(), track) -
                               layout.tracks.begin());
  };
  std::vector<Slice>& slices = layout.slices;
  for (size_t i = 0; i < spans.size(); ++i) {
    const SpanRecord& span = spans[i];
    const uint64_t start_ns = Plausible(span.start_ns);
    slices.push_back({track_index(DispatchTrack(span)), i, start_ns, start_ns + span.duration_ns});
    if (IsRoot(span)) {
      const uint64_t sent_ns = Plausible(span.sent_ns);
      slices.push_back({track_index(SenderTrack(span)), i, sent_ns, sent_ns + kSendSliceNs});
    }
  }
  // Stable: dispatches that began in the same nanosecond stay in the order of their recording.
  std::stable_sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
    return std::tie(a.track, a.begin_ns) < std::tie(b.track, b.begin_ns);
  });
  Separate(slices);

  std::vector<size_t> dispatch_slices(spans.size(), kNone);
  std::vector<size_t> send_slices(spans.size(), kNone);
  for (size_t i = 0; i < slices.size(); ++i) {
    const bool is_dispatch = layout.tracks[slices[i].track].kind == Track::Kind::kShard;
    (is_dispatch ? dispatch_slices : send_slices)[slices[i].record] = i;
  }
  const std::vector<SpanPlace> places = IndexSpans(spans, dispatch_slices);
  for (size_t to = 0; to < slices.size(); ++to) {
    const size_t record = slices[to].record;
    const SpanRecord& span = spans[record];
    if (dispatch_slices[record] != to || FindSpan(places, span.span) != to) continue;
    const size_t from = IsRoot(span) ? send_slices[record] : FindSpan(places, span.parent_span);
    if (from == kNone || from == to) continue;
    // A stamp may run ahead of the clock by a few ns per message sent: kept within both slices.
    const uint64_t begin_ns = std::clamp(std::min(span.sent_ns, slices[to].end_ns - 1),
                                         slices[from].begin_ns, slices[from].end_ns - 1);
    const uint64_t end_ns = std::clamp(begin_ns, slices[to].begin_ns, slices[to].end_ns - 1);
    if (begin_ns > end_ns) continue;  // it would point back in time
    layout.arrows.push_back({from, to, begin_ns, end_ns});
  }
  return layout;
}

}  // namespace bitactor::internal
