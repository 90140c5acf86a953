// Actors that end as they are told, and a system whose clock and rounds the test owns.
#ifndef BITACTOR_TESTS_L3_GENACTOR_SUPERVISOR_FIXTURE_H_
#define BITACTOR_TESTS_L3_GENACTOR_SUPERVISOR_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"

namespace bitactor::supervisor_test {

struct Get {
  using Reply = int64_t;
};
struct Add {
  int64_t n;
};
// What it does, and then Get's answer.
enum class How : uint64_t { kThrow, kNormal, kShutdown };
struct End {
  How how = How::kThrow;
  using Reply = int64_t;
};
struct Nap {
  int64_t microseconds;
};
// Fails so often, and is answered then.
struct Try {
  int64_t failures;
  using Reply = int64_t;
};

// Written by the actors of one test, which one thread drives: starts "+name", ends "-name".
inline std::vector<std::string> story;
inline std::vector<std::string> failing_inits;  // names whose Init fails
inline std::vector<std::string> ignoring_inits;
inline int64_t tries = 0;

inline bool Lists(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Counts what was added since its start.
class Worker : public Actor<Worker, Get, Add, End, Nap, Try> {
 public:
  explicit Worker(const char* name) : name_(name) {}
  ~Worker() {
    if (started_) story.push_back("-" + std::string(name_));
  }
  absl::Status Init() {
    if (Lists(failing_inits, name_)) return absl::UnavailableError("no luck");
    if (Lists(ignoring_inits, name_)) return IgnoreStart();
    started_ = true;
    story.push_back("+" + std::string(name_));
    return absl::OkStatus();
  }
  int64_t On(const Get&) { return total_; }
  void On(const Add& m) { total_ += m.n; }
  absl::StatusOr<int64_t> On(const End& m) {
    if (m.how == How::kThrow) throw std::runtime_error("thrown");
    Stop(m.how == How::kNormal ? ExitReason::Normal() : ExitReason::Shutdown());
    return total_;
  }
  Task<void> On(Nap m) {
    co_await Sleep(absl::Microseconds(m.microseconds));
    story.push_back("~" + std::string(name_));
  }
  absl::StatusOr<int64_t> On(const Try& m) {
    if (++tries <= m.failures) return absl::AbortedError("once more");
    return tries;
  }
  auto State() const { return std::tie(total_); }

 private:
  const char* name_;
  int64_t total_ = 0;
  bool started_ = false;
};

// Ends its suspended handler before it ends.
class Patient : public Actor<Patient, Get, Nap, Exit> {
 public:
  static constexpr bool kTrapExits = true;
  void On(const Exit&) {}
  int64_t On(const Get&) { return 0; }
  Task<void> On(Nap m) {
    co_await Sleep(absl::Microseconds(m.microseconds));
    story.push_back("done");
  }
};

class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(2); }
  void Start(uint32_t shards) {
    story.clear();
    failing_inits.clear();
    ignoring_inits.clear();
    tries = 0;
    SystemOptions options;
    options.shards = shards;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    system_ = System::Start(options).value();
  }
  void Pass(absl::Duration duration) {
    clock_.Advance(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
    Settle();
  }
  // Until nobody has anything to do at this moment.
  void Settle() {
    do system_->WaitIdle();
    while (system_->fabric().Poll() > 0);
  }
  static Handle<Worker> Add(const SupervisorRef& supervisor, const char* name,
                            const ChildOptions& options = {}) {
    return supervisor.Spawn<Worker>(name, options, name);
  }
  void Fail(const Handle<Worker>& worker) {
    EXPECT_FALSE(worker.Call(End{}).ok());
    Settle();
  }
  // What happened since the last look.
  static std::vector<std::string> Story() { return std::exchange(story, {}); }
  static bool Lives(const Handle<Worker>& worker) { return worker.Call(Get{}).ok(); }
  static std::vector<std::string> NamesOf(const std::vector<ChildInfo>& children) {
    std::vector<std::string> names;
    for (const ChildInfo& child : children) names.push_back(child.name);
    return names;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
};

}  // namespace bitactor::supervisor_test

#endif  // BITACTOR_TESTS_L3_GENACTOR_SUPERVISOR_FIXTURE_H_
