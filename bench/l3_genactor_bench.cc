// l3/*: actors on one shard that this thread drives.
#include <malloc.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/rows.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::bench {
namespace {

struct Ping {
  uint64_t n;
  using Reply = uint64_t;
};
struct Note {
  uint64_t n;
};
struct Fail {
  uint64_t n;
  using Reply = uint64_t;
};

class Server : public Actor<Server, Ping, Note, Fail> {
 public:
  uint64_t On(const Ping& m) { return sum_ += m.n; }
  void On(const Note& m) { sum_ += m.n; }
  absl::StatusOr<uint64_t> On(const Fail&) { return absl::InternalError("asked to"); }

 private:
  uint64_t sum_ = 0;
};

struct CallMany {
  Ref<Server> server;
  uint64_t count;
};
struct CastMany {
  Ref<Server> server;
  uint64_t count;
};
struct FailMany {
  Ref<Server> server;
  uint64_t count;
};

class Client : public Actor<Client, CallMany, CastMany, FailMany> {
 public:
  Task<void> On(CallMany m) {
    for (uint64_t i = 0; i < m.count; ++i) last_ = co_await Call(m.server, Ping{i});
  }
  void On(const CastMany& m) {
    for (uint64_t i = 0; i < m.count; ++i) Cast(m.server, Note{i});
  }
  Task<void> On(FailMany m) {
    for (uint64_t i = 0; i < m.count; ++i) {
      const absl::StatusOr<uint64_t> failed = co_await TryCall(m.server, Fail{i});
      if (failed.ok()) co_return;
      last_ = co_await Call(m.server, Ping{i});
    }
  }

 private:
  uint64_t last_ = 0;
};

absl::StatusOr<std::unique_ptr<System>> StartSystem(const Context& context, bool durable) {
  SystemOptions options;
  options.fabric.threads = false;
  options.fabric.clock = &context.clock;
  if (durable) {
    options.durable = absl::StrCat(context.work_dir, "/l3_journal");
    std::filesystem::remove_all(options.durable);
  }
  return System::Start(std::move(options));
}

absl::Status EndSystem(const Context& context, System& system) {
  if (!system.Counters().AddUp()) return absl::InternalError("the counters do not add up");
  absl::Status status = system.Stop();
  std::error_code ignored;
  std::filesystem::remove_all(absl::StrCat(context.work_dir, "/l3_journal"), ignored);
  return status;
}

// `client` gets one message that makes it do `operations` rounds with `server`.
template <typename Order>
absl::StatusOr<Body> Rounds(const Context& context, bool durable, uint64_t per_order) {
  return [&context, durable, per_order](uint64_t operations) -> absl::StatusOr<Sample> {
    auto system = StartSystem(context, durable);
    if (!system.ok()) return system.status();
    const auto supervisor =
        (*system)->Supervise({.max_restarts = 10'000, .within = absl::Nanoseconds(1)});
    const auto server = supervisor.template Spawn<Server>("server");
    const auto client = supervisor.template Spawn<Client>("client");
    if (!server.ok()) return server.status();
    const auto run = [&](uint64_t count) {
      for (uint64_t left = count; left > 0;) {
        const uint64_t now = left < per_order ? left : per_order;
        client.Cast(Order{server, now});
        (*system)->WaitIdle();
        left -= now;
      }
    };
    run(10'000);
    const uint64_t start = context.clock.Now();
    run(operations);
    const Sample sample =
        NsPerOperation(context.clock.NanosIn(context.clock.Now() - start), operations);
    if (absl::Status status = EndSystem(context, **system); !status.ok()) return status;
    return sample;
  };
}

constexpr uint64_t kOneOrder = uint64_t{1} << 40;

absl::StatusOr<Body> Spawn(const Context& context) {
  return [&context](uint64_t operations) -> absl::StatusOr<Sample> {
    auto system = StartSystem(context, /*durable=*/false);
    if (!system.ok()) return system.status();
    std::vector<std::string> names;
    for (uint64_t i = 0; i < operations; ++i) names.push_back(absl::StrCat("actor", i));
    const uint64_t start = context.clock.Now();
    for (const std::string& name : names) {
      if (!(*system)->Spawn<Server>(name).ok()) return absl::InternalError("spawn failed");
    }
    return NsPerOperation(context.clock.NanosIn(context.clock.Now() - start), operations);
  };
}

// In bytes; 0 where malloc is not glibc's, as under the address sanitizer.
size_t AllocatedBytes() { return mallinfo2().uordblks; }

absl::StatusOr<Body> BytesPerActor(const Context& context) {
  const auto probe = std::make_unique<std::vector<char>>(size_t{1} << 16);
  if (AllocatedBytes() < probe->size()) {
    return absl::UnavailableError("mallinfo2() does not count what this program allocates");
  }
  return [&context](uint64_t operations) -> absl::StatusOr<Sample> {
    auto system = StartSystem(context, /*durable=*/false);
    if (!system.ok()) return system.status();
    const uint64_t start = context.clock.Now();
    const size_t before = AllocatedBytes();
    for (uint64_t i = 0; i < operations; ++i) {
      if (!(*system)->Spawn<Server>(absl::StrCat("actor", i)).ok()) {
        return absl::InternalError("spawn failed");
      }
    }
    const size_t after = AllocatedBytes();
    return Amount(static_cast<double>(after - before) / static_cast<double>(operations),
                  context.clock.NanosIn(context.clock.Now() - start));
  };
}

}  // namespace

void RegisterL3GenactorRows(Registry& registry) {
  registry.Add(
      {.name = "l3/cast", .note = "from a handler to an actor of the same shard, in bursts of 500"},
      [](const Context& context) { return Rounds<CastMany>(context, false, 500); });
  registry.Add({.name = "l3/call", .note = "co_await Call and its reply, one after the other"},
               [](const Context& context) { return Rounds<CallMany>(context, false, kOneOrder); });
  registry.Add({.name = "l3/call_durable",
                .operations_min = 100'000,
                .operations_max = 500'000,
                .note = "the same, both messages journalled"},
               [](const Context& context) { return Rounds<CallMany>(context, true, kOneOrder); });
  registry.Add({.name = "l3/restart",
                .operations_max = 200'000,
                .note = "a call that fails its actor by a returned error, the restart, and an "
                        "answer from the new one"},
               [](const Context& context) { return Rounds<FailMany>(context, false, kOneOrder); });
  registry.Add({.name = "l3/spawn", .operations_max = 100'000, .note = "by name, from outside"},
               &Spawn);
  registry.Add({.name = "l3/bytes_per_actor",
                .unit = "bytes",
                .operations_min = 20'000,
                .operations_max = 20'000,
                .note = "heap per idle actor with its name, 8 bytes of state included"},
               &BytesPerActor);
}

}  // namespace bitactor::bench
