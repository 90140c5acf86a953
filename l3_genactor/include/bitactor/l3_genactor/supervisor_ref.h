// A supervisor, from outside.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISOR_REF_H_
#define BITACTOR_L3_GENACTOR_SUPERVISOR_REF_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l3_genactor/handle.h"
#include "bitactor/l3_genactor/ref.h"
#include "bitactor/l3_genactor/supervision.h"

namespace bitactor {

namespace internal {
struct SupervisionRequest;
struct Supervisor;
}  // namespace internal

template <typename A, typename... Given>
class SupervisorOfEach;

// Copyable; refers to its System.
//
// Order: children start in the order in which they were added, each when Init of the one before is
//   done, and end in the reverse one.
// Threads: all methods, any thread that is not a shard's.
// Errors: of a supervisor that is not there (status()) every method has that status.
//   kFailedPrecondition: the supervisor gave up or has ended (its own supervisor may start it again),
//   or a shard's thread asks. kUnavailable (only without threads): it is not done, and goes on when
//   the clock does.
class SupervisorRef {
 public:
  SupervisorRef() : status_(absl::NotFoundError("this was never given a supervisor")) {}

  // Starts `A(args...)` under this supervisor, by the name it keeps for good, and returns when Init
  // has run and its journalled history is applied. The arguments are kept for restarts. A handle
  // that is not ok() says why there is none: kAlreadyExists (the name is taken: already_started; its
  // specification is there, and it does not run: already_present), Init's error, the journal's,
  // kInvalidArgument (an option), kCancelled (IgnoreStart: the specification is kept). Any other
  // failed start leaves nothing.
  template <typename A, typename... Args>
  Handle<A> Spawn(std::string_view name, Restart restart = Restart::kPermanent, Args... args) const;
  template <typename A, typename... Args>
  Handle<A> Spawn(std::string_view name, const ChildOptions& options, Args... args) const;

  // A supervisor under this one, by a name that no other child of it has. When it is started again,
  // so are the children that were added to it, but for temporary ones.
  SupervisorRef Supervise(std::string_view name, const SupervisorOptions& options = {},
                          Restart restart = Restart::kPermanent) const;
  SupervisorRef Supervise(std::string_view name, const SupervisorOptions& options,
                          const ChildOptions& as_child) const;
  // A supervisor whose children are all made by one specification: `A(given..., args...)`, where
  // Spawn() gives the args. OTP's simple_one_for_one: options.strategy is not asked. When it ends,
  // nothing of its children is kept.
  template <typename A, typename... Given>
  SupervisorOfEach<A, Given...> SuperviseEach(std::string_view name,
                                              const SupervisorOptions& options,
                                              const ChildOptions& of_each, Given... given) const;

  // Ends a child and keeps its specification, unless it is temporary. OK when it does not run.
  // kNotFound: no child has this name.
  absl::Status TerminateChild(std::string_view name) const;
  // Starts a child that does not run. kFailedPrecondition: it does (running), or its restart is
  // under way (restarting). Init's error: it does not run.
  absl::Status RestartChild(std::string_view name) const;
  // Forgets a child that does not run. kFailedPrecondition as above.
  absl::Status DeleteChild(std::string_view name) const;
  // The newest first.
  std::vector<ChildInfo> WhichChildren() const;
  ChildCounts CountChildren() const;

  // Whether there is a supervisor, and why not.
  const absl::Status& status() const { return status_; }
  uint64_t restarts() const;
  // It had more failures than it may bear, has ended its children and itself.
  bool gave_up() const;
  // It can have children: it did not give up, was not shut down and did not shut itself down.
  bool running() const;

 protected:
  friend class System;
  explicit SupervisorRef(absl::Status status) : status_(std::move(status)) {}
  SupervisorRef(System* system, std::shared_ptr<internal::Supervisor> supervisor)
      : system_(system), supervisor_(std::move(supervisor)) {}
  SupervisorRef Add(std::string_view name, const SupervisorOptions& options,
                    const ChildOptions& as_child, bool each) const;
  SupervisorRef AddOfEach(std::string_view name, const SupervisorOptions& options,
                          const ChildOptions& of_each) const;
  absl::Status TerminateAddress(Address address) const;
  absl::Status CheckUse() const;
  absl::Status Await(const std::shared_ptr<internal::SupervisionRequest>& request) const;

  System* system_ = nullptr;
  std::shared_ptr<internal::Supervisor> supervisor_;
  absl::Status status_;
};

// Of children made by one specification. What makes no sense for them it does not have: other
// specifications, RestartChild, DeleteChild.
template <typename A, typename... Given>
class SupervisorOfEach : private SupervisorRef {
 public:
  // As SupervisorRef::Spawn().
  template <typename... Args>
  Handle<A> Spawn(std::string_view name, Args... args) const;

  // Ends a child. OK when it ended before. kNotFound: a living actor that is no child of this.
  absl::Status TerminateChild(const Ref<A>& child) const { return TerminateAddress(child.address); }
  using SupervisorRef::CountChildren;
  using SupervisorRef::gave_up;
  using SupervisorRef::restarts;
  using SupervisorRef::running;
  using SupervisorRef::status;
  using SupervisorRef::WhichChildren;

 private:
  friend class SupervisorRef;
  SupervisorOfEach(const SupervisorRef& supervisor, const ChildOptions& options,
                   std::tuple<Given...> given)
      : SupervisorRef(supervisor), options_(options), given_(std::move(given)) {}

  ChildOptions options_;
  std::tuple<Given...> given_;
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_SUPERVISOR_REF_H_
