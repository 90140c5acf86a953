#include "bitactor/l3_genactor/supervisor_ref.h"

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor {

SupervisorRef SupervisorRef::Add(std::string_view name, const SupervisorOptions& options,
                                 const ChildOptions& as_child, bool each) const {
  if (!status_.ok()) return SupervisorRef(status_);
  absl::StatusOr<std::shared_ptr<internal::Supervisor>> added =
      system_->supervision().AddSupervisor(supervisor_, name, options, as_child, each);
  if (!added.ok()) return SupervisorRef(added.status());
  return SupervisorRef(system_, *std::move(added));
}

SupervisorRef SupervisorRef::AddOfEach(std::string_view name, const SupervisorOptions& options,
                                       const ChildOptions& of_each) const {
  if (absl::Status status = internal::ValidateChild(name, of_each, options); !status.ok()) {
    return SupervisorRef(std::move(status));
  }
  SupervisorOptions one_for_one = options;
  one_for_one.strategy = Strategy::kOneForOne;
  return Add(name, one_for_one, {}, true);
}

SupervisorRef SupervisorRef::Supervise(std::string_view name, const SupervisorOptions& options,
                                       Restart restart) const {
  return Add(name, options, ChildOptions{.restart = restart}, false);
}

SupervisorRef SupervisorRef::Supervise(std::string_view name, const SupervisorOptions& options,
                                       const ChildOptions& as_child) const {
  return Add(name, options, as_child, false);
}

absl::Status SupervisorRef::Await(
    const std::shared_ptr<internal::SupervisionRequest>& request) const {
  return system_->supervision_driver().Await(request);
}

absl::Status SupervisorRef::CheckUse() const {
  if (!status_.ok()) return status_;
  if (internal::CurrentShard() != nullptr) {
    return absl::FailedPreconditionError(
        "a handler asks, and it may be the one that has to end; ask from an outside thread");
  }
  return absl::OkStatus();
}

absl::Status SupervisorRef::TerminateChild(std::string_view name) const {
  if (absl::Status status = CheckUse(); !status.ok()) return status;
  return Await(system_->supervision().Terminate(*supervisor_, name));
}

absl::Status SupervisorRef::RestartChild(std::string_view name) const {
  if (absl::Status status = CheckUse(); !status.ok()) return status;
  return Await(system_->supervision().StartAgain(*supervisor_, name));
}

absl::Status SupervisorRef::DeleteChild(std::string_view name) const {
  if (!status_.ok()) return status_;
  return system_->supervision().Delete(*supervisor_, name);
}

absl::Status SupervisorRef::TerminateAddress(Address address) const {
  if (absl::Status status = CheckUse(); !status.ok()) return status;
  for (const ChildInfo& child : WhichChildren()) {
    if (child.address.id != address.id) continue;
    return Await(system_->supervision().Terminate(*supervisor_, child.name));
  }
  bool alive = false;
  Fabric& fabric = system_->fabric();
  fabric.RunOnShard(fabric.ShardOf(address.id),
                    [&] { alive = system_->CellOf(address.id) != nullptr; });
  if (!alive) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("not_found: \"", fabric.NameOf(address.id),
                                          "\" is no child of the supervisor that was asked"));
}

std::vector<ChildInfo> SupervisorRef::WhichChildren() const {
  if (!status_.ok()) return {};
  return system_->supervision().WhichChildren(*supervisor_);
}

ChildCounts SupervisorRef::CountChildren() const {
  if (!status_.ok()) return {};
  return system_->supervision().CountChildren(*supervisor_);
}

uint64_t SupervisorRef::restarts() const {
  return status_.ok() ? system_->supervision().RestartsOf(*supervisor_) : 0;
}

bool SupervisorRef::gave_up() const {
  return status_.ok() && system_->supervision().GaveUp(*supervisor_);
}

bool SupervisorRef::running() const {
  return status_.ok() && system_->supervision().IsRunning(*supervisor_);
}

}  // namespace bitactor
