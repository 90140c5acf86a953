// Traces that came from outside: what is known of each beside the 64 bits that its messages carry.
#ifndef BITACTOR_TRACING_TRACE_ROOTS_H_
#define BITACTOR_TRACING_TRACE_ROOTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing/baggage.h"
#include "bitactor/tracing/trace_context.h"

namespace bitactor {

// The context and the baggage with which a trace came.
struct TraceRoot {
  TraceContext context;
  std::vector<BaggageMember> baggage = {};

  friend bool operator==(const TraceRoot&, const TraceRoot&) = default;
};

// The id that messages carry of this trace: the same in every process, never 0 for an id that is not.
// Of an id whose upper half is 0 it is the lower half.
uint64_t LocalTraceOf(const TraceId& trace_id);

// Order: of two contexts of one trace the later one is kept.
// Threads: any.
// Bounds: the last `capacity` traces that were begun; older ones are forgotten, and counted.
// Errors: none.
// Cost: a mutex and a hash look-up, once for each scope and fabric, never on a message's way.
class TraceRoots {
 public:
  static constexpr size_t kDefaultCapacity = 16384;

  // REQUIRES: capacity > 0.
  explicit TraceRoots(size_t capacity = kDefaultCapacity);

  // Another one for each object of this process, never 0.
  uint64_t uid() const { return uid_; }

  void Note(const TraceRoot& root);
  std::optional<TraceRoot> Find(uint64_t trace) const;
  // With all its 128 bits; zero for a trace that began in this process or was forgotten.
  TraceId TraceIdOf(uint64_t trace) const;
  // What to send on from a span of this trace: EmitTraceContext(context, context.parent_id).
  TraceContext ContextAt(uint64_t trace, uint64_t span, bool sampled) const;
  uint64_t forgotten() const;

 private:
  const size_t capacity_;
  const uint64_t uid_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, TraceRoot> roots_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> oldest_first_ ABSL_GUARDED_BY(mutex_);
  uint64_t forgotten_ ABSL_GUARDED_BY(mutex_) = 0;
};

// While it lives, what this thread sends from outside belongs to this trace, caused by the span
// context.parent_id; recorded if context.sampled. The innermost one counts. Handlers are not
// concerned: what they send belongs to the trace of what they handle.
//
// Threads: its own.
// Errors: none. REQUIRES: the trace id is not zero; scopes of a thread end in reverse order, as
//   locals do.
//
//   const ParsedTraceContext parsed = ParseTraceContext(headers);
//   std::optional<TraceScope> scope;
//   if (parsed.valid) scope.emplace(TraceRoot{parsed.context});
//   port.Send(target, message);
class TraceScope {
 public:
  explicit TraceScope(TraceRoot root);
  ~TraceScope() { current_ = before_; }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

  // This thread's, or null.
  static TraceScope* Current() { return current_; }
  const TraceRoot& root() const { return root_; }
  uint64_t trace() const { return trace_; }
  // Notes the root there, once.
  void NoteIn(TraceRoots& roots);

 private:
  static inline constinit thread_local TraceScope* current_ = nullptr;

  const TraceRoot root_;
  const uint64_t trace_;
  uint64_t noted_in_ = 0;  // the uid of the last
  TraceScope* const before_;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_TRACE_ROOTS_H_
