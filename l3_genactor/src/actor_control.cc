// What operators and tests do with one actor from outside.
#include <chrono>
#include <exception>
#include <memory>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor {

using internal::ActorCell;
using internal::ActorClass;
using internal::ActorExtras;

absl::Status System::WithActor(std::string_view name,
                               const std::function<absl::Status(ActorCell&)>& act) {
  if (internal::CurrentShard() != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("a handler asks for \"", std::string(name),
                     "\", and it may be the one that runs; ask from an outside thread"));
  }
  absl::Status status =
      absl::NotFoundError(absl::StrCat("noproc: no actor \"", std::string(name), "\" is alive"));
  const std::optional<ActorId> id = fabric_->Find(name);
  if (!id.has_value()) return status;
  fabric_->RunOnShard(fabric_->ShardOf(*id), [&] {
    if (ActorCell* cell = CellOf(*id)) status = act(*cell);
  });
  return status;
}

absl::Status System::Suspend(std::string_view name) {
  return WithActor(name, [](ActorCell& cell) {
    cell.extras().set_suspended(true);
    cell.AcceptOnly(cell.KindsThatMayCome());
    return absl::OkStatus();
  });
}

absl::Status System::Resume(std::string_view name) {
  return WithActor(name, [](ActorCell& cell) {
    cell.extras().set_suspended(false);
    cell.runtime().shard().SetAccepted(cell, cell.KindsThatMayCome());
    return absl::OkStatus();
  });
}

absl::Status System::Trace(std::string_view name, ActorTracer tracer) {
  return WithActor(name, [&tracer](ActorCell& cell) {
    cell.extras().SetTracer(std::move(tracer));
    return absl::OkStatus();
  });
}

absl::StatusOr<ActorStatus> System::Status(std::string_view name) {
  ActorStatus status;
  const absl::Status found = WithActor(name, [&](ActorCell& cell) {
    cell.Describe(status);
    return absl::OkStatus();
  });
  if (!found.ok()) return found;
  return status;
}

absl::Status System::ReplaceStateOf(std::string_view name, const ActorClass& cls,
                                    const std::function<absl::Status(void*)>& replace) {
  if (!journal_dir_.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "\"", std::string(name),
        "\" is durable, and a replay would not know of a state that came from outside; "
        "send it a message that says what to change"));
  }
  return WithActor(name, [&](ActorCell& cell) -> absl::Status {
    if (cell.cls().type != cls.type) {
      return absl::FailedPreconditionError(absl::StrCat("\"", std::string(name), "\" is a ",
                                                        std::string(cell.cls().name), ", not a ",
                                                        std::string(cls.name)));
    }
    if (!cell.has_state()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "\"", std::string(name), "\" is down and has no state until it is started again"));
    }
    try {
      return replace(cell.state());
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("the state stays as it was: ", error.what()));
    } catch (...) {
      return absl::InternalError("the state stays as it was: no std::exception was thrown");
    }
  });
}

absl::Status System::Stop(Address actor, const ExitReason& reason, absl::Duration timeout) {
  if (timeout < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("the timeout of a stop is ",
                                                   absl::FormatDuration(timeout),
                                                   "; give 0 or more, or InfiniteDuration"));
  }
  struct Outcome {
    Mutex mutex;
    CondVar changed;
    bool done ABSL_GUARDED_BY(mutex) = false;
    bool found ABSL_GUARDED_BY(mutex) = false;
  };
  const auto outcome = std::make_shared<Outcome>();  // the task may outlive the wait
  const auto task = [this, actor, reason, outcome] {
    ActorCell* const cell = CellOf(actor.id);
    const bool found = cell != nullptr && !cell->down();
    if (found) cell->ExitFromOutside(reason);
    MutexLock lock(&outcome->mutex);
    outcome->done = true;
    outcome->found = found;
    outcome->changed.SignalAll();
  };
  const uint64_t start_ns = fabric_->clock().NowNanos();
  const uint32_t shard = fabric_->ShardOf(actor.id);
  const bool waits = fabric_->threaded() && internal::CurrentShard() == nullptr &&
                     fabric_->shard(shard).RunSoon(task);
  if (!waits) fabric_->RunOnShard(shard, task);
  MutexLock lock(&outcome->mutex);
  if (timeout == absl::InfiniteDuration()) {
    while (!outcome->done) outcome->changed.Wait(&outcome->mutex);
  } else {
    const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
    while (!outcome->done && std::chrono::steady_clock::now() < until) {
      outcome->changed.WaitUntil(&outcome->mutex, until);
    }
    const uint64_t took_ns = fabric_->clock().NowNanos() - start_ns;
    if (!outcome->done ||
        (!waits && took_ns > static_cast<uint64_t>(absl::ToInt64Nanoseconds(timeout)))) {
      return absl::DeadlineExceededError(
          absl::StrCat("timeout: id ", static_cast<uint32_t>(actor.id), " had not ended after ",
                       absl::FormatDuration(timeout), "; it ends when its shard comes to it"));
    }
  }
  if (outcome->found) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("noproc: nobody has the id ", static_cast<uint32_t>(actor.id)));
}

}  // namespace bitactor
