#include "bitactor/tracing_export/shiviz_export.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitactor {
namespace {

constexpr size_t kNone = ~size_t{0};

// One event in the log: a dispatch, or the sending of a root message.
struct Event {
  size_t record = 0;
  bool sending = false;
  uint32_t host = 0;  // actor id
  uint64_t time_ns = 0;
  size_t cause = kNone;  // the event in which the message was sent
  size_t next_on_host = kNone;
  size_t missing = 0;  // predecessors that are not yet written
  std::vector<size_t> effects = {};
};

// By host, how many of its events are known.
using Clock = std::map<uint32_t, uint64_t>;

void Merge(Clock& clock, const Clock& other) {
  for (const auto& [host, count] : other) {
    uint64_t& own = clock[host];
    own = std::max(own, count);
  }
}

std::string Printable(std::string text, bool spaces) {
  for (char& c : text) {
    const bool fits = (c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '{' && c != '}') ||
                      (spaces && c == ' ');
    if (!fits) c = '_';
  }
  return text;
}

class Log {
 public:
  Log(std::span<const SpanRecord> spans, const SpanNames& names) : spans_(spans), names_(names) {
    MakeEvents();
    LinkHosts();
    LinkCauses();
    NameHosts();
  }

  absl::Status Write(std::ostream& out) {
    // The earliest of those whose predecessors are written.
    using Ready = std::pair<uint64_t, size_t>;
    std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
    for (size_t i = 0; i < events_.size(); ++i) {
      if (events_[i].missing == 0) ready.emplace(events_[i].time_ns, i);
    }
    size_t written = 0;
    const auto done_with = [&](size_t before) {
      if (before != kNone && --events_[before].missing == 0) {
        ready.emplace(events_[before].time_ns, before);
      }
    };
    while (!ready.empty()) {
      const size_t index = ready.top().second;
      ready.pop();
      WriteEvent(index, out);
      ++written;
      done_with(events_[index].next_on_host);
      for (const size_t effect : events_[index].effects) done_with(effect);
    }
    out.flush();
    if (!out) {
      return absl::DataLossError(
          "writing the log failed: is there space, and may this place be written?");
    }
    if (written != events_.size()) {
      return absl::DataLossError(absl::StrCat(
          "the spans contradict each other: ", events_.size() - written, " of ", events_.size(),
          " events would be causes of themselves by parents and order; are they of one run?"));
    }
    return absl::OkStatus();
  }

 private:
  void MakeEvents() {
    for (size_t i = 0; i < spans_.size(); ++i) {
      const SpanRecord& span = spans_[i];
      if (span.parent_span == 0) {
        events_.push_back(
            {.record = i, .sending = true, .host = span.source, .time_ns = span.sent_ns});
      }
      events_.push_back({.record = i, .host = span.target, .time_ns = span.start_ns});
    }
    // Recorded in the order of their dispatch, which stays where times are equal.
    std::stable_sort(events_.begin(), events_.end(),
                     [](const Event& a, const Event& b) { return a.time_ns < b.time_ns; });
  }

  void LinkHosts() {
    std::map<uint32_t, size_t> last;
    for (size_t i = 0; i < events_.size(); ++i) {
      const auto [found, first] = last.try_emplace(events_[i].host, i);
      if (first) continue;
      events_[found->second].next_on_host = i;
      ++events_[i].missing;
      found->second = i;
    }
  }

  void LinkCauses() {
    std::map<uint64_t, size_t> dispatch_of;  // by span id; the first of several
    std::map<size_t, size_t> sending_of;     // by record
    for (size_t i = 0; i < events_.size(); ++i) {
      if (events_[i].sending) {
        sending_of.emplace(events_[i].record, i);
      } else {
        dispatch_of.try_emplace(spans_[events_[i].record].span, i);
      }
    }
    for (size_t i = 0; i < events_.size(); ++i) {
      Event& event = events_[i];
      if (event.sending) continue;
      const SpanRecord& span = spans_[event.record];
      if (span.parent_span == 0) {
        event.cause = sending_of.at(event.record);
      } else if (const auto found = dispatch_of.find(span.parent_span);
                 found != dispatch_of.end()) {
        event.cause = found->second;
      }
      if (event.cause == kNone) continue;
      events_[event.cause].effects.push_back(i);
      ++event.missing;
    }
  }

  void NameHosts() {
    std::set<std::string> taken;
    for (const Event& event : events_) {
      std::string& name = hosts_[event.host];
      if (!name.empty()) continue;
      name = Printable(names_.ActorText(event.host), /*spaces=*/false);
      if (!taken.insert(name).second) {
        absl::StrAppend(&name, "#", event.host);
        while (!taken.insert(name).second) name += '_';
      }
    }
  }

  void WriteEvent(size_t index, std::ostream& out) {
    const Event& event = events_[index];
    Clock& clock = clocks_[event.host];
    if (event.cause != kNone) {
      const auto sent = sent_.find(event.cause);
      Merge(clock, sent->second.clock);
      if (--sent->second.awaited == 0) sent_.erase(sent);  // nobody asks again
    }
    ++clock[event.host];
    if (!event.effects.empty()) sent_[index] = {clock, event.effects.size()};

    std::string text = TextOf(event);
    absl::StrAppend(&text, "\n", hosts_.at(event.host), " {");
    const char* before = "\"";
    for (const auto& [host, count] : clock) {
      absl::StrAppend(&text, before, hosts_.at(host), "\":", count);
      before = ", \"";
    }
    text += "}\n";
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
  }

  std::string TextOf(const Event& event) const {
    const SpanRecord& span = spans_[event.record];
    const std::string type = Printable(names_.TypeText(span.type), /*spaces=*/true);
    if (event.sending) return absl::StrCat("sends ", type, " to ", HostOrName(span.target));
    return absl::StrCat(type, " from ", HostOrName(span.source), ", ", SpanKindName(span.kind),
                        ", waited ",
                        span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0,
                        " ns, worked ", span.duration_ns, " ns, ", SpanOutcomeName(span.outcome));
  }
  std::string HostOrName(uint32_t actor) const {
    const auto found = hosts_.find(actor);
    return found != hosts_.end() ? found->second
                                 : Printable(names_.ActorText(actor), /*spaces=*/false);
  }

  // What the effects of an event know, until the last of them has been written.
  struct Sent {
    Clock clock;
    size_t awaited = 0;
  };

  const std::span<const SpanRecord> spans_;
  const SpanNames& names_;
  std::vector<Event> events_;
  std::map<uint32_t, std::string> hosts_;
  std::map<uint32_t, Clock> clocks_;
  std::map<size_t, Sent> sent_;
};

}  // namespace

absl::Status WriteShivizLog(std::span<const SpanRecord> spans, const SpanNames& names,
                            std::ostream& out) {
  if (spans.size() > kMaxShivizSpans) {
    return absl::OutOfRangeError(absl::StrCat(spans.size(), " spans for ShiViz; it draws at most ",
                                              kMaxShivizSpans,
                                              " of them: take the last ones (--last)"));
  }
  return Log(spans, names).Write(out);
}

}  // namespace bitactor
