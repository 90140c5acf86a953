// Effects on the outside world, asked for by durable actors and carried out by a thread of the user.
#ifndef BITACTOR_L3_GENACTOR_EFFECT_PORT_H_
#define BITACTOR_L3_GENACTOR_EFFECT_PORT_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor {

// Unique for good: the same effect has it in every run.
struct EffectKey {
  uint32_t source = 0;  // the actor that asked
  uint32_t unused = 0;
  uint64_t message_id = 0;

  // "17:281474976710657", for whoever carries it out to tell a repetition.
  std::string ToString() const;
  friend bool operator==(const EffectKey&, const EffectKey&) = default;
};

// An effect that is to be carried out.
template <typename M>
struct Effect {
  EffectKey key;
  uint64_t number = 0;  // 1, 2, ... in the order in which they were asked for
  M message{};
};

namespace internal {

// The effect with this number is done.
struct EffectDone {
  static constexpr std::string_view kTypeName = "bitactor::EffectDone";
  uint64_t number = 0;
};

// Wakes who waits for effects. Threads: any.
class EffectSignal {
 public:
  void Raise();
  // Until it was raised since the last Wait(), or `timeout` is over.
  void Wait(absl::Duration timeout);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
};

// Where `visit` runs on the shard of `id`: then waits until what is journalled there by now is durable.
absl::Status VisitDurably(System& system, ActorId id, const std::function<void()>& visit);
// Waits for the signal; in a system without threads, drives it instead. False: the time is over, or
// nothing is left to be driven.
bool WaitForEffects(System& system, EffectSignal& signal, uint64_t start_ns, uint64_t timeout_ns);

}  // namespace internal

// Keeps what is not done yet: an actor, so that this is as durable as all else. Its address is what
// other actors cast to.
template <typename M>
class EffectKeeper : public Actor<EffectKeeper<M>, M, internal::EffectDone> {
 public:
  static constexpr std::string_view kTypeName = "bitactor::EffectKeeper";
  static constexpr uint32_t kTypeVersion = TypeId<M>();  // one class for each message

  explicit EffectKeeper(std::shared_ptr<internal::EffectSignal> signal)
      : signal_(std::move(signal)) {}

  void On(const M& message) {
    const internal::Invocation& asked = internal::CurrentCell().invocation();
    unfinished_[++last_number_] = {EffectKey{asked.source, 0, asked.message_id}, message};
    signal_->Raise();
  }
  void On(const internal::EffectDone& done) { unfinished_.erase(done.number); }

  auto State() const { return std::tie(last_number_, unfinished_); }
  const std::map<uint64_t, std::pair<EffectKey, M>>& unfinished() const { return unfinished_; }

 private:
  std::shared_ptr<internal::EffectSignal> signal_;
  uint64_t last_number_ = 0;
  std::map<uint64_t, std::pair<EffectKey, M>> unfinished_;
};

// The end of the outside: effects that actors asked for with Cast(port.ref(), M{...}).
//
//   while (true) {
//     absl::StatusOr<Effect<Email>> effect = emails.Next(absl::Seconds(1));
//     if (!effect.ok()) continue;
//     if (SendIt(effect->message, effect->key.ToString())) emails.Done(*effect);
//   }
//
// Order: effects come in the order in which they were asked for. They may be done in any.
// Threads: one, not a shard's.
// Bounds: what is not done stays in memory, and in every snapshot.
// Ownership: must not outlive its System.
// Errors: an effect comes at least once, with the same key each time: whoever carries it out drops what
//   it has seen. It comes when its message is acknowledged: journalled, and at levels group and each
//   durable. What was not said to be done in one run comes again in the next.
template <typename M>
class EffectPort {
 public:
  // The port of this name, with what earlier runs left unfinished. As System::Spawn; kFailedPrecondition:
  // nothing is journalled here.
  static absl::StatusOr<EffectPort> Open(System& system, std::string_view name);

  // What actors send to; the same in each run.
  Ref<EffectKeeper<M>> ref() const { return handle_.ref(); }

  // The next effect that this port has not given in this run. kDeadlineExceeded: none in this time.
  // kNotFound: the system has stopped, or the keeper. Else why it cannot become durable.
  absl::StatusOr<Effect<M>> Next(absl::Duration timeout);
  // It is carried out and never comes again; journalled soon after. Anything but kOk: say it again, or
  // the effect comes again in the next run.
  SendResult Done(const Effect<M>& effect) {
    return handle_.Cast(internal::EffectDone{effect.number});
  }

 private:
  static constexpr size_t kEffectsAtOnce = 64;

  EffectPort(System* system, std::string name, Handle<EffectKeeper<M>> handle,
             std::shared_ptr<internal::EffectSignal> signal)
      : system_(system), name_(std::move(name)), handle_(handle), signal_(std::move(signal)) {}

  // Fetches what was asked for since the last look.
  absl::Status Look();

  System* system_;
  std::string name_;
  Handle<EffectKeeper<M>> handle_;
  std::shared_ptr<internal::EffectSignal> signal_;
  uint64_t last_fetched_ = 0;
  std::vector<Effect<M>> fetched_;  // the next one last
};

template <typename M>
absl::StatusOr<EffectPort<M>> EffectPort<M>::Open(System& system, std::string_view name) {
  if (!system.fabric().journals()) {
    return absl::FailedPreconditionError(
        "an effect port needs a journal: name a folder in SystemOptions::durable");
  }
  auto signal = std::make_shared<internal::EffectSignal>();
  Handle<EffectKeeper<M>> handle = system.Spawn<EffectKeeper<M>>(name, signal);
  if (!handle.ok()) return handle.status();
  return EffectPort(&system, std::string(name), handle, std::move(signal));
}

template <typename M>
absl::Status EffectPort<M>::Look() {
  bool found = false;
  const absl::Status durable = internal::VisitDurably(*system_, handle_.ref().address.id, [&] {
    found = system_->Inspect<EffectKeeper<M>>(name_, [&](const EffectKeeper<M>& keeper) {
      const auto& unfinished = keeper.unfinished();
      for (auto at = unfinished.upper_bound(last_fetched_);
           at != unfinished.end() && fetched_.size() < kEffectsAtOnce; ++at) {
        fetched_.push_back({at->second.first, at->first, at->second.second});
      }
    });
  });
  std::reverse(fetched_.begin(), fetched_.end());
  if (!durable.ok()) {
    fetched_.clear();
    return durable;
  }
  if (!fetched_.empty()) last_fetched_ = fetched_.front().number;
  return found ? absl::OkStatus()
               : absl::NotFoundError(absl::StrCat("noproc: effect port \"", name_, "\" has ended"));
}

template <typename M>
absl::StatusOr<Effect<M>> EffectPort<M>::Next(absl::Duration timeout) {
  const uint64_t start_ns = system_->fabric().clock().NowNanos();
  const uint64_t timeout_ns = internal::TimeoutNanos(timeout);
  while (fetched_.empty()) {
    if (absl::Status status = Look(); !status.ok()) return status;
    if (!fetched_.empty()) break;
    if (!internal::WaitForEffects(*system_, *signal_, start_ns, timeout_ns)) {
      return absl::DeadlineExceededError(
          absl::StrCat("effect port \"", name_, "\": no effect was asked for in time"));
    }
  }
  const Effect<M> next = fetched_.back();
  fetched_.pop_back();
  return next;
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_EFFECT_PORT_H_
