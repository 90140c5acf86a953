// How the messages of traces caused each other, and what that took.
#ifndef BITACTOR_TOOLS_CLI_TRACE_CHAIN_H_
#define BITACTOR_TOOLS_CLI_TRACE_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/tracing/span.h"
#include "cli/journal_filter.h"

namespace bitactor::cli {

// One message: its span, what a journal knows of it, or both.
struct Hop {
  SpanRecord span;
  bool timed = true;           // false: from a journal alone: nothing is known of its dispatch
  std::optional<Place> place;  // where it is journalled, if that is known
};

// The message that has this span: SpanIdOf() the other way round.
uint64_t MessageIdOf(uint32_t source, uint64_t span);
// "17:90211"; "17:3/90211" with an incarnation that is not 0.
std::string MessageText(uint32_t source, uint64_t span);

// What a user calls a message: SOURCE:SEQUENCE, SOURCE:INCARNATION/SEQUENCE or the 16 digits of its
// span.
class MessageQuery {
 public:
  // SOURCE is a number, or a name for `actor_by_name`, whose error is returned. kInvalidArgument says
  // what is allowed.
  static absl::StatusOr<MessageQuery> Parse(std::string_view text,
                                            const ActorByName& actor_by_name);
  bool Matches(uint32_t source, uint64_t span) const;

 private:
  std::optional<uint64_t> span_;
  uint32_t source_ = 0;
  std::optional<uint16_t> incarnation_;
  uint64_t sequence_ = 0;
};

// Order: hops by the time they were sent, so that a cause is before its effects.
// Threads: any may read it.
// Bounds: about 32 bytes a hop beside the hops.
// Errors: none: of two hops with one span the earlier is taken, and a parent that was not sent
//   before its child, as only a damaged or invented file has, is no parent. So there are no cycles.
class TraceGraph {
 public:
  static constexpr size_t kNone = ~size_t{0};

  explicit TraceGraph(std::vector<Hop> hops);

  const std::vector<Hop>& hops() const { return hops_; }
  // kNone: a root, or its parent is not here.
  size_t parent(size_t hop) const { return links_[hop].parent; }
  size_t first_child(size_t hop) const { return links_[hop].first_child; }
  size_t next_sibling(size_t hop) const { return links_[hop].next_sibling; }
  std::vector<size_t> Find(const MessageQuery& query) const;

 private:
  struct Links {
    size_t parent = kNone;
    size_t first_child = kNone;
    size_t next_sibling = kNone;
  };

  std::vector<Hop> hops_;
  std::vector<Links> links_;
};

// Where the time of one message of a chain went. The time in which its cause was still being handled
// is the cause's.
struct ChainStep {
  size_t hop;
  uint64_t wait_ns;  // in lanes and queues
  uint64_t work_ns;  // in its handler
};

// From the oldest message known to the one that ended last. total = wait + work, over all steps.
struct Chain {
  uint64_t total_ns = 0;
  uint64_t wait_ns = 0;
  uint64_t work_ns = 0;
  bool whole = true;  // false: what caused the first message is not here
  std::vector<ChainStep> steps;
};

// Of each tree of messages the slowest chain, and of these the slowest `top`, slowest first. Hops
// without times are passed over.
std::vector<Chain> SlowestChains(const TraceGraph& graph, size_t top);

// A message with its causes and its effects.
struct MessagePath {
  std::vector<size_t> causes;                           // the root first, the message last
  std::vector<std::pair<size_t, size_t>> effects = {};  // {steps from the message, hop}, each
                                                        // behind its cause
};
MessagePath PathOf(const TraceGraph& graph, size_t hop);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_CHAIN_H_
