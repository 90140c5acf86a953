// A run's messages one by one, back and forth, with the state of who handled them.
#ifndef BITACTOR_TOOLS_CLI_TRACE_WALK_H_
#define BITACTOR_TOOLS_CLI_TRACE_WALK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l3_genactor/system.h"
#include "cli/journal_print.h"
#include "cli/output.h"
#include "cli/replay_messages.h"
#include "pipeline/payload_fields.h"

namespace bitactor::cli {

using ActorFields = std::vector<pipeline::PayloadField>;

struct WalkStep {
  size_t index = 0;  // of the messages of the walk
  Place place;
  std::string actor;    // who handled it
  std::string message;  // as AppendRecord() shows it, without the line end
  // Nullopt: not running then: it had not started, or had ended.
  std::optional<ActorFields> before;
  std::optional<ActorFields> after;
};

// Order: that of FabricReplay: of each journal its own; a message after what caused it.
// Threads: one. The journals are not changed.
// Bounds: 64 bytes a message.
// Errors: those of FabricReplay and System::Replay.
// Cost: opening reads the journals once, a step reads them twice.
class TraceWalk {
 public:
  // Over the messages that the pipeline's actors handled, or that one of this name did. kNotFound:
  // no such actor or nothing handled.
  static absl::StatusOr<TraceWalk> Open(const std::string& dir,
                                        const std::optional<std::string>& actor,
                                        FileSystem& files = PosixFiles());

  size_t size() const { return stops_.size(); }
  // The message at this place or, of the same journal, the next one. kNotFound: the walk has none
  // there.
  absl::StatusOr<size_t> IndexOf(const Place& place) const;
  // REQUIRES: index < size().
  absl::StatusOr<WalkStep> At(size_t index, RecordFormat format) const;

 private:
  struct Stop {
    Place place;
    uint32_t actor;
    std::optional<Place> behind;  // the next message of its journal
  };

  TraceWalk(FileSystem& files, std::string dir) : files_(&files), dir_(std::move(dir)) {}
  absl::StatusOr<std::optional<ActorFields>> StateAt(uint32_t actor,
                                                     const std::optional<Place>& until) const;
  absl::StatusOr<std::string> MessageAt(const Place& place, RecordFormat format) const;

  FileSystem* files_;
  std::string dir_;
  std::map<uint32_t, std::string> actors_;  // the names of those whose state can be shown
  std::vector<Stop> stops_;
};

struct WalkArguments {
  std::string dir;
  std::string at;  // a place; empty: the first message
  std::optional<std::string> actor;
  std::optional<uint64_t> steps;  // unset: asks for each
  bool json = false;
};

// Writes steps: so many, or as the lines of `read_line` ask: "n" or an empty one for the next
// message, "p" for the one before, "g PLACE" for another, "q" to end. `say` is told what a line may
// be and what was wrong with one.
absl::Status WriteWalk(const TraceWalk& walk, const WalkArguments& arguments, Output& output,
                       const ReadLine& read_line,
                       const std::function<void(const std::string&)>& say);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_WALK_H_
