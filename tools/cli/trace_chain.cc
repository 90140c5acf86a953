#include "cli/trace_chain.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor::cli {
namespace {

// Mix64() backwards: shifts undone, multiplied by the inverses modulo 2^64.
constexpr uint64_t UnmixedOf(uint64_t x) {
  x ^= x >> 31 ^ x >> 62;
  x *= 0x319642B2D24D8EC3ull;
  x ^= x >> 27 ^ x >> 54;
  x *= 0x96DE1B173F119089ull;
  x ^= x >> 30 ^ x >> 60;
  return x;
}
static_assert(UnmixedOf(Mix64(0x0123456789ABCDEFull)) == 0x0123456789ABCDEFull);

absl::Status NoMessage(std::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::string_view(text.data(), text.size()),
                   "\": names no message; write SOURCE:SEQUENCE (17:90211, or book/AAPL:12), "
                   "SOURCE:INCARNATION/SEQUENCE, or the 16 hexadecimal digits of its span"));
}

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

uint64_t EndOf(const SpanRecord& span) { return span.start_ns + span.duration_ns; }

}  // namespace

uint64_t MessageIdOf(uint32_t source, uint64_t span) {
  return UnmixedOf(span) ^ (static_cast<uint64_t>(source) * 0x9E3779B97F4A7C15ull);
}

std::string MessageText(uint32_t source, uint64_t span) {
  const uint64_t message_id = MessageIdOf(source, span);
  if (IncarnationOf(message_id) == 0) return absl::StrCat(source, ":", SequenceOf(message_id));
  return absl::StrCat(source, ":", IncarnationOf(message_id), "/", SequenceOf(message_id));
}

absl::StatusOr<MessageQuery> MessageQuery::Parse(std::string_view text,
                                                 const ActorByName& actor_by_name) {
  MessageQuery query;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    uint64_t span = 0;
    if (text.size() != 16 || !absl::SimpleHexAtoi(Absl(text), &span)) return NoMessage(text);
    query.span_ = span;
    return query;
  }
  std::string_view sequence = text.substr(colon + 1);
  const size_t slash = sequence.find('/');
  if (slash != std::string_view::npos) {
    uint32_t incarnation = 0;
    if (!absl::SimpleAtoi(Absl(sequence.substr(0, slash)), &incarnation) || incarnation > 65535) {
      return NoMessage(text);
    }
    query.incarnation_ = static_cast<uint16_t>(incarnation);
    sequence.remove_prefix(slash + 1);
  }
  if (!absl::SimpleAtoi(Absl(sequence), &query.sequence_) || query.sequence_ > kSequenceMask) {
    return NoMessage(text);
  }
  const std::string source(text.substr(0, colon));
  if (source.empty()) return NoMessage(text);
  if (absl::SimpleAtoi(source, &query.source_)) return query;
  const absl::StatusOr<uint32_t> named = actor_by_name(source);
  if (!named.ok()) return named.status();
  query.source_ = *named;
  return query;
}

bool MessageQuery::Matches(uint32_t source, uint64_t span) const {
  if (span_.has_value()) return span == *span_;
  if (source != source_) return false;
  const uint64_t message_id = MessageIdOf(source, span);
  return SequenceOf(message_id) == sequence_ &&
         (!incarnation_.has_value() || IncarnationOf(message_id) == *incarnation_);
}

TraceGraph::TraceGraph(std::vector<Hop> hops) : hops_(std::move(hops)), links_(hops_.size()) {
  std::stable_sort(hops_.begin(), hops_.end(), [](const Hop& a, const Hop& b) {
    return std::tie(a.span.sent_ns, a.span.span) < std::tie(b.span.sent_ns, b.span.span);
  });
  absl::flat_hash_map<uint64_t, size_t> by_span;
  by_span.reserve(hops_.size());
  for (size_t i = 0; i < hops_.size(); ++i) by_span.try_emplace(hops_[i].span.span, i);
  // From the last on, so that each list of children is in order.
  for (size_t i = hops_.size(); i-- > 0;) {
    const auto found = by_span.find(hops_[i].span.parent_span);
    if (found == by_span.end() || found->second >= i) continue;
    Links& parent = links_[found->second];
    links_[i].parent = found->second;
    links_[i].next_sibling = parent.first_child;
    parent.first_child = i;
  }
}

std::vector<size_t> TraceGraph::Find(const MessageQuery& query) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < hops_.size(); ++i) {
    if (query.Matches(hops_[i].span.source, hops_[i].span.span)) found.push_back(i);
  }
  return found;
}

std::vector<Chain> SlowestChains(const TraceGraph& graph, size_t top) {
  struct Tree {
    uint64_t total_ns = 0;
    size_t last = TraceGraph::kNone;
  };
  const std::vector<Hop>& hops = graph.hops();
  std::vector<size_t> roots(hops.size());
  std::vector<uint64_t> ends_ns(hops.size());
  absl::flat_hash_map<size_t, Tree> trees;  // by root
  for (size_t i = 0; i < hops.size(); ++i) {
    if (!hops[i].timed) continue;
    const SpanRecord& span = hops[i].span;
    const size_t parent = graph.parent(i);
    const bool is_root = parent == TraceGraph::kNone || !hops[parent].timed;
    roots[i] = is_root ? i : roots[parent];
    ends_ns[i] = std::max({is_root ? 0 : ends_ns[parent], EndOf(span), span.sent_ns});
    const uint64_t total_ns = ends_ns[i] - hops[roots[i]].span.sent_ns;
    Tree& tree = trees[roots[i]];
    if (tree.last == TraceGraph::kNone || total_ns > tree.total_ns) tree = {total_ns, i};
  }
  std::vector<Tree> slowest;
  slowest.reserve(trees.size());
  for (const auto& [root, tree] : trees) slowest.push_back(tree);
  const size_t count = std::min(top, slowest.size());
  std::partial_sort(slowest.begin(), slowest.begin() + static_cast<std::ptrdiff_t>(count),
                    slowest.end(), [](const Tree& a, const Tree& b) {
                      return a.total_ns != b.total_ns ? a.total_ns > b.total_ns : a.last < b.last;
                    });
  slowest.resize(count);
  std::vector<Chain> chains;
  for (const Tree& tree : slowest) {
    Chain chain;
    const size_t root = roots[tree.last];
    for (size_t hop = tree.last;; hop = graph.parent(hop)) {
      chain.steps.push_back({hop, 0, 0});
      if (hop == root) break;
    }
    std::reverse(chain.steps.begin(), chain.steps.end());
    chain.whole = hops[root].span.parent_span == 0;
    uint64_t now_ns = hops[root].span.sent_ns;
    for (ChainStep& step : chain.steps) {
      const SpanRecord& span = hops[step.hop].span;
      step.wait_ns = span.start_ns > now_ns ? span.start_ns - now_ns : 0;
      now_ns += step.wait_ns;
      step.work_ns = EndOf(span) > now_ns ? EndOf(span) - now_ns : 0;
      now_ns += step.work_ns;
      chain.wait_ns += step.wait_ns;
      chain.work_ns += step.work_ns;
    }
    chain.total_ns = chain.wait_ns + chain.work_ns;
    chains.push_back(std::move(chain));
  }
  return chains;
}

MessagePath PathOf(const TraceGraph& graph, size_t hop) {
  MessagePath path;
  for (size_t cause = hop; cause != TraceGraph::kNone; cause = graph.parent(cause)) {
    path.causes.push_back(cause);
  }
  std::reverse(path.causes.begin(), path.causes.end());
  // Depth first, without recursion: a trace may be as deep as it likes.
  size_t depth = 1;
  for (size_t at = graph.first_child(hop); at != TraceGraph::kNone;) {
    path.effects.push_back({depth, at});
    if (graph.first_child(at) != TraceGraph::kNone) {
      at = graph.first_child(at);
      ++depth;
      continue;
    }
    while (at != hop && graph.next_sibling(at) == TraceGraph::kNone) {
      at = graph.parent(at);
      --depth;
    }
    if (at == hop) break;
    at = graph.next_sibling(at);
  }
  return path;
}

}  // namespace bitactor::cli
