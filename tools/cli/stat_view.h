// What `bitactor stat` shows of one reading of a fabric.
#ifndef BITACTOR_TOOLS_CLI_STAT_VIEW_H_
#define BITACTOR_TOOLS_CLI_STAT_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "bitactor/l2_mailbox/fabric_stats.h"

namespace bitactor::cli {

enum class StatSort : uint8_t { kDepth, kAge, kRate, kRefused };

struct StatViewOptions {
  StatSort sort = StatSort::kDepth;
  size_t limit = 10;  // mailboxes, lanes and ports, each; 0: all
};

// A reading, and the one before it for the rates, or null.
struct StatMoment {
  const FabricReading& reading;
  const FabricReading* before;
  uint64_t now_ns;  // FabricReading::NowNs()
};

// For people. `name` is what they called it.
std::string StatText(const std::string& name, const StatMoment& moment,
                     const StatViewOptions& options);
// For programs: everything, in the order of numbers. Rates are null without a reading before.
nlohmann::ordered_json StatJson(const StatMoment& moment);

// Whether somebody should look at it: damage, a writer that was killed, a shard that does not answer
// or whose journal is full.
bool ShowsFault(const StatMoment& moment);

// "850 us", "12 ms", "3.4 s", "5 m 20 s", "3 h 12 m", "2 d 4 h".
std::string DurationText(uint64_t duration_ns);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_STAT_VIEW_H_
