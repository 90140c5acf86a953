#include "pipeline/chain.h"

#include <utility>

#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor::pipeline {
namespace {

constexpr char kBookPrefix[] = "book/";

template <typename M>
std::string ShortName() {
  const std::string name(TypeName<M>());
  const size_t last = name.rfind("::");
  return last == std::string::npos ? name : name.substr(last + 2);
}

template <typename... Types>
struct TypeList {
  static std::string NameAmong(uint32_t type) {
    std::string name;
    ((TypeId<Types>() == type ? void(name = ShortName<Types>()) : void()), ...);
    return name;
  }
  static std::vector<std::pair<uint32_t, std::string>> Names() {
    return {{TypeId<Types>(), ShortName<Types>()}...};
  }
};

using KnownTypes =
    TypeList<market::FeedEvent, market::BookRow, market::Top, market::Intent, market::Order,
             market::Fill, market::KillSwitch, UseRows, Poison, ErrorReply, internal::BootRecord,
             internal::NameRecord, internal::CrashRecord, BookActor, SignalActor, RiskActor,
             ExecutionActor, PositionActor>;

}  // namespace

std::string BookName(const std::string& symbol) { return kBookPrefix + symbol; }

absl::StatusOr<Chain> SpawnChain(const SupervisorRef& supervisor, const std::string& symbol) {
  Chain chain;
  chain.symbol = symbol;
  chain.position = supervisor.Spawn<PositionActor>("position/" + symbol);
  if (!chain.position.ok()) return chain.position.status();
  chain.execution = supervisor.Spawn<ExecutionActor>("execution/" + symbol, Restart::kPermanent,
                                                     chain.position.ref());
  if (!chain.execution.ok()) return chain.execution.status();
  chain.risk =
      supervisor.Spawn<RiskActor>("risk/" + symbol, Restart::kPermanent, chain.execution.ref());
  if (!chain.risk.ok()) return chain.risk.status();
  chain.signal =
      supervisor.Spawn<SignalActor>("signal/" + symbol, Restart::kPermanent, chain.risk.ref());
  if (!chain.signal.ok()) return chain.signal.status();
  chain.book =
      supervisor.Spawn<BookActor>(BookName(symbol), Restart::kPermanent, chain.signal.ref());
  if (!chain.book.ok()) return chain.book.status();
  return chain;
}

absl::Status SpawnRecovered(const SupervisorRef& supervisor, const RecoveredActor& actor) {
  absl::Status status;
  const auto start = [&]<typename A>(auto... next) {
    if (actor.class_type == TypeId<A>()) {
      status = supervisor.Spawn<A>(actor.name, Restart::kPermanent, next...).status();
    }
  };
  start.operator()<PositionActor>();
  start.operator()<ExecutionActor>(Ref<PositionActor>{});
  start.operator()<RiskActor>(Ref<ExecutionActor>{});
  start.operator()<SignalActor>(Ref<RiskActor>{});
  start.operator()<BookActor>(Ref<SignalActor>{});
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

std::vector<std::string> RecoveredSymbols(const System& system) {
  std::vector<std::string> symbols;
  for (const RecoveredActor& actor : system.RecoveredActors()) {
    // The book is started last: a chain whose book has no name yet has handled nothing.
    if (actor.class_type != TypeId<BookActor>()) continue;
    symbols.push_back(actor.name.substr(sizeof(kBookPrefix) - 1));
  }
  return symbols;
}

std::string TypeNameOf(uint32_t type) { return KnownTypes::NameAmong(type); }
std::vector<std::pair<uint32_t, std::string>> KnownTypeNames() { return KnownTypes::Names(); }

}  // namespace bitactor::pipeline
