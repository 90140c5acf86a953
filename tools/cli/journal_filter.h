// Which records of a journal a command is about.
#ifndef BITACTOR_TOOLS_CLI_JOURNAL_FILTER_H_
#define BITACTOR_TOOLS_CLI_JOURNAL_FILTER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/position.h"

namespace bitactor::cli {

// As given on the command line; empty or nullopt: not given.
struct FilterArguments {
  std::string since = {};
  std::string until = {};
  std::string from = {};
  std::string to = {};
  std::string source = {};
  std::string target = {};
  std::string type = {};
  std::vector<std::string> kinds = {};
  std::optional<uint32_t> shard = {};
};

// All that is given must hold. Beginnings are part of the range, ends are not.
struct RecordFilter {
  uint64_t since_ns = 0;
  std::optional<uint64_t> until_ns;
  Position from = Position::Begin();
  Position to = Position::None();
  std::optional<uint32_t> shard;
  std::optional<uint32_t> source;
  std::optional<uint32_t> target;
  std::vector<uint32_t> types;    // one of them; empty: any
  uint32_t kinds = ~uint32_t{0};  // bit FrameKind

  // Shard and positions are the reader's business.
  bool Matches(const FrameHeader& header) const;
};

// The id of the actor that has this name in the journals.
using ActorByName = std::function<absl::StatusOr<uint32_t>(const std::string& name)>;

// kInvalidArgument names the option, what was given, what it takes, and an example. Relative times
// are counted from now_ns.
absl::StatusOr<RecordFilter> ParseFilter(const FilterArguments& arguments, uint64_t now_ns,
                                         const ActorByName& actor_by_name);

// "cast", "call" and so on; "other" for a kind that this program does not know.
std::string_view KindName(FrameKind kind);

// "2026-11-21T16:17:30.123456789Z"; a stamp that is no such time (from the year 2262 on) as a
// number.
std::string TimeText(uint64_t stamp_ns);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_JOURNAL_FILTER_H_
