// Several calls at once: the first answer wins, or all are awaited.
#ifndef BITACTOR_L3_GENACTOR_REQUEST_SET_H_
#define BITACTOR_L3_GENACTOR_REQUEST_SET_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bitactor/l3_genactor/call_waiter.h"
#include "bitactor/l3_genactor/coroutine_pool.h"
#include "bitactor/l3_genactor/ref.h"
#include "bitactor/l3_genactor/task.h"

namespace bitactor {

// Requests whose answers are of one type, taken in the order in which they come:
//
//   RequestSet<int64_t> quotes;
//   for (size_t i = 0; i < venues.size(); ++i) quotes.Add(i, venues[i], Ask{symbol}).IgnoreError();
//   while (!quotes.empty()) {
//     RequestSet<int64_t>::Response first = co_await quotes.Next();
//     if (first.result.ok()) co_return *first.result;     // the others are dropped unseen
//   }
//
// Threads: inside one handler.
// Ownership: a local of a coroutine; answers that come after it is gone are dropped.
// Cost: a block of the coroutine pool for each request; no heap allocation when warm.
template <typename R>
class RequestSet {
 public:
  struct Response {
    template <typename Result>
    Response(uint64_t label_, Result&& result_)
        : label(label_), result(std::forward<Result>(result_)) {}
    uint64_t label;
    absl::StatusOr<R> result;  // as TryCall() gives it
  };

  RequestSet() = default;
  RequestSet(const RequestSet&) = delete;
  RequestSet& operator=(const RequestSet&) = delete;
  ~RequestSet() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next);
  }

  // Sends a request, whose answer comes back with this label. kInvalidArgument, and nothing is sent:
  // there is one of this label.
  template <typename A, typename M>
  absl::Status Add(uint64_t label, const Ref<A>& to, const M& request,
                   absl::Duration timeout = kDefaultCallTimeout) {
    internal::CheckCall<A, M>();
    for (const Entry* entry = first_; entry != nullptr; entry = entry->next) {
      if (entry->label != label) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("label ", label, " is in this set already; take another"));
    }
    auto* const entry = new Entry(*this, label, to.address, request, timeout);
    entry->next = first_;
    first_ = entry;
    ++size_;
    if (entry->completed()) entry->finished = ++finished_;
    return absl::OkStatus();
  }

  // Requests whose answers were not taken yet.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  class Awaiter {
   public:
    explicit Awaiter(RequestSet& set) : set_(set) {}
    bool await_ready() const noexcept { return set_.empty() || set_.finished_ > set_.taken_; }
    void await_suspend(std::coroutine_handle<> handler) noexcept { set_.awaiting_ = handler; }
    Response await_resume() { return set_.TakeFirst(); }

   private:
    RequestSet& set_;
  };
  // `co_await set.Next()`: the next answer or failure. Of an empty set kNotFound, no_request.
  Awaiter Next() { return Awaiter(*this); }

 private:
  class Entry final : public internal::CallWaiter<R> {
   public:
    template <typename M>
    Entry(RequestSet& set, uint64_t label_, Address target, const M& request,
          absl::Duration timeout)
        : internal::CallWaiter<R>(target, request, timeout), label(label_), set_(set) {}
    static void* operator new(size_t size_bytes) {
      return internal::CoroutinePool::Allocate(size_bytes);
    }
    static void operator delete(void* p, size_t size_bytes) {
      internal::CoroutinePool::Free(p, size_bytes);
    }

    // The handler waits for any of them, so for none alone.
    uint32_t awaited_target() const override { return 0; }
    void OnReply(const Frame& reply) override {
      internal::CallWaiter<R>::OnReply(reply);
      Finish();
    }
    void OnTimeout() override {
      internal::CallWaiter<R>::OnTimeout();
      Finish();
    }
    Response TakeResponse() {
      if (!this->status_.ok()) return Response(label, std::move(this->status_));
      return Response(label, std::move(this->value_));
    }

    const uint64_t label;
    uint64_t finished = 0;  // its number among those that have finished; 0: it has not
    Entry* next = nullptr;

   private:
    void Finish() {
      finished = ++set_.finished_;
      this->resume_ = std::exchange(set_.awaiting_, nullptr);
    }

    RequestSet& set_;
  };

  Response TakeFirst() {
    if (empty()) return Response(0, absl::NotFoundError("no_request: this set is empty"));
    ++taken_;
    Entry** place = &first_;
    while ((*place)->finished != taken_) place = &(*place)->next;
    const std::unique_ptr<Entry> entry(*place);
    *place = entry->next;
    --size_;
    return entry->TakeResponse();
  }

  Entry* first_ = nullptr;
  size_t size_ = 0;
  uint64_t finished_ = 0;
  uint64_t taken_ = 0;
  std::coroutine_handle<> awaiting_;
};

// `auto [a, b] = co_await All(TryCall(x, X{}), TryCall(y, Y{}))`: the requests are on their way
// together, and what became of each is there when all are done.
template <typename... R>
Task<std::tuple<absl::StatusOr<R>...>> All(internal::StatusCall<R>&&... calls) {
  co_return std::tuple<absl::StatusOr<R>...>{(co_await calls)...};
}

// The same request to several actors: what became of each, in their order, after `timeout` at the
// latest.
template <typename A, typename M>
Task<std::vector<absl::StatusOr<internal::ReplyOf<M>>>> MultiCall(
    std::vector<Ref<A>> targets, M request, absl::Duration timeout = kDefaultCallTimeout) {
  internal::CheckCall<A, M>();
  std::deque<internal::StatusCall<internal::ReplyOf<M>>> calls;
  for (const Ref<A>& target : targets) calls.emplace_back(target.address, request, timeout);
  std::vector<absl::StatusOr<internal::ReplyOf<M>>> results;
  results.reserve(calls.size());
  for (auto& call : calls) results.push_back(co_await call);
  co_return results;
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_REQUEST_SET_H_
