#include "bitactor/tracing/trace_roots.h"

#include <atomic>
#include <utility>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor {

namespace {

uint64_t NextUidOfRoots() {
  static std::atomic<uint64_t> uid{0};
  // Relaxed: only uniqueness matters.
  return uid.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

uint64_t LocalTraceOf(const TraceId& trace_id) {
  const uint64_t local = trace_id.low ^ Mix64(trace_id.high);  // Mix64(0) is 0
  return local != 0 || trace_id.is_zero() ? local : 1;
}

TraceRoots::TraceRoots(size_t capacity) : capacity_(capacity), uid_(NextUidOfRoots()) {}

void TraceRoots::Note(const TraceRoot& root) {
  const uint64_t trace = LocalTraceOf(root.context.trace_id);
  MutexLock lock(&mutex_);
  const auto [place, is_new] = roots_.insert_or_assign(trace, root);
  if (!is_new) return;
  oldest_first_.push_back(trace);
  if (oldest_first_.size() <= capacity_) return;
  roots_.erase(oldest_first_.front());
  oldest_first_.pop_front();
  ++forgotten_;
}

std::optional<TraceRoot> TraceRoots::Find(uint64_t trace) const {
  MutexLock lock(&mutex_);
  const auto found = roots_.find(trace);
  if (found == roots_.end()) return std::nullopt;
  return found->second;
}

TraceId TraceRoots::TraceIdOf(uint64_t trace) const {
  MutexLock lock(&mutex_);
  const auto found = roots_.find(trace);
  return found != roots_.end() ? found->second.context.trace_id : TraceId{};
}

TraceContext TraceRoots::ContextAt(uint64_t trace, uint64_t span, bool sampled) const {
  TraceContext context;
  context.trace_id = {0, trace};
  if (const std::optional<TraceRoot> root = Find(trace)) context = root->context;
  context.parent_id = span;
  context.sampled = sampled;
  return context;
}

uint64_t TraceRoots::forgotten() const {
  MutexLock lock(&mutex_);
  return forgotten_;
}

TraceScope::TraceScope(TraceRoot root)
    : root_(std::move(root)), trace_(LocalTraceOf(root_.context.trace_id)), before_(current_) {
  BITACTOR_CHECK(!root_.context.trace_id.is_zero());
  current_ = this;
}

void TraceScope::NoteIn(TraceRoots& roots) {
  if (noted_in_ == roots.uid()) return;
  roots.Note(root_);
  noted_in_ = roots.uid();
}

}  // namespace bitactor
