// The actors of one symbol, started together.
#ifndef BITACTOR_TOOLS_PIPELINE_CHAIN_H_
#define BITACTOR_TOOLS_PIPELINE_CHAIN_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"
#include "pipeline/actors.h"

namespace bitactor::pipeline {

struct Chain {
  std::string symbol;
  Handle<BookActor> book;
  Handle<SignalActor> signal;
  Handle<RiskActor> risk;
  Handle<ExecutionActor> execution;
  Handle<PositionActor> position;
};

// Names are "book/AAPL", "signal/AAPL" and so on.
std::string BookName(const std::string& symbol);

// Starts the last stage first, so that each knows the next; all under `supervisor`. In a system
// with a journal the actors come back as they were. The status of the first that could not be
// started.
absl::StatusOr<Chain> SpawnChain(const SupervisorRef& supervisor, const std::string& symbol);

// Starts one stage that the journals name, for a replay: it sends nothing, so it needs no next
// stage. Ports and stages that had ended are passed over.
absl::Status SpawnRecovered(const SupervisorRef& supervisor, const RecoveredActor& actor);

// The symbols whose book the journals name, in the order in which they were first seen.
std::vector<std::string> RecoveredSymbols(const System& system);

// Runs `visit` with the state of the stage of each symbol, in the order given.
template <typename A>
void ForEachOf(System& system, const std::string& stage, const std::vector<std::string>& symbols,
               const std::function<void(const A&)>& visit) {
  for (const std::string& symbol : symbols)
    system.Inspect<A>(absl::StrCat(stage, "/", symbol), visit);
}

// Every actor type and message type of the pipeline and the runtime, for traces and dumps; "" for
// others.
std::string TypeNameOf(uint32_t type);
// All those types, with the names that TypeNameOf() gives.
std::vector<std::pair<uint32_t, std::string>> KnownTypeNames();

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_CHAIN_H_
