#include "cli/trace_walk.h"

#include <algorithm>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/replay.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/persistence/journal_reader.h"
#include "pipeline/actor_state.h"

namespace bitactor::cli {
namespace {

constexpr char kWalkKeys[] =
    "Enter or n: the next message; p: the one before; g SHARD:POSITION: the one there; q: end";

std::string ValueText(const pipeline::FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return absl::CHexEscape(*text);
  if (const auto* number = std::get_if<int64_t>(&value)) return absl::StrCat(*number);
  return absl::StrCat(std::get<uint64_t>(value));
}

// What differs from `other` is marked: "*live_orders=3".
std::string StateText(const std::optional<ActorFields>& fields,
                      const std::optional<ActorFields>& other) {
  if (!fields.has_value()) return " not running";
  std::string text;
  for (size_t i = 0; i < fields->size(); ++i) {
    const pipeline::PayloadField& field = (*fields)[i];
    const bool changed = other.has_value() && (*other)[i].value != field.value;
    absl::StrAppend(&text, changed ? " *" : " ",
                    absl::string_view(field.name.data(), field.name.size()), "=",
                    ValueText(field.value));
  }
  return text;
}

std::string StateJson(const std::optional<ActorFields>& fields) {
  if (!fields.has_value()) return "null";
  std::string object = "{";
  for (const pipeline::PayloadField& field : *fields) {
    const auto* text = std::get_if<std::string>(&field.value);
    absl::StrAppend(&object, object.size() > 1 ? "," : "", "\"",
                    absl::string_view(field.name.data(), field.name.size()),
                    "\":", text != nullptr ? JsonText(*text) : ValueText(field.value));
  }
  return object + "}";
}

std::string StepText(const WalkStep& step, size_t size, bool json) {
  if (json) {
    return absl::StrCat("{\"index\":", step.index, ",\"of\":", size,
                        ",\"actor\":", JsonText(step.actor), ",\"message\":", step.message,
                        ",\"before\":", StateJson(step.before),
                        ",\"after\":", StateJson(step.after), "}\n");
  }
  return absl::StrCat(step.index + 1, " of ", size, ", ", absl::CHexEscape(step.actor), "\n  ",
                      step.message, "\n  before", StateText(step.before, std::nullopt),
                      "\n  after ", StateText(step.after, step.before), "\n");
}

}  // namespace

absl::StatusOr<TraceWalk> TraceWalk::Open(const std::string& dir,
                                          const std::optional<std::string>& actor,
                                          FileSystem& files) {
  TraceWalk walk(files, dir);
  {
    const absl::StatusOr<std::unique_ptr<System>> all =
        System::Replay({.journal_dir = dir, .files = &files});
    if (!all.ok()) return all.status();
    for (const RecoveredActor& known : (*all)->RecoveredActors()) {
      if (!pipeline::IsPipelineClass(known.class_type)) continue;
      if (actor.has_value() && known.name != *actor) continue;
      walk.actors_[static_cast<uint32_t>(known.id)] = known.name;
    }
  }
  absl::StatusOr<FabricReplay> replay = FabricReplay::Open(dir, {.skip_gaps = true}, files);
  if (!replay.ok()) return replay.status();
  std::map<uint32_t, size_t> last;  // by shard: the stop that has nothing behind it yet
  for (const ReplayedMessage& message : *replay) {
    const FrameHeader& header = message.frame().header;
    // What was done about a crash belongs to the message before it.
    if (header.type == TypeId<internal::CrashRecord>()) continue;
    if (const auto stop = last.find(message.place().shard); stop != last.end()) {
      walk.stops_[stop->second].behind = message.place();
      last.erase(stop);
    }
    if (!walk.actors_.contains(header.target)) continue;
    last[message.place().shard] = walk.stops_.size();
    walk.stops_.push_back({message.place(), header.target, std::nullopt});
  }
  if (!replay->status().ok()) return replay->status();
  if (walk.stops_.empty()) {
    return absl::NotFoundError(absl::StrCat(
        dir, ": ", actor.has_value() ? absl::StrCat("no actor \"", *actor, "\"") : "no actor",
        " of the pipeline handled a message here; `bitactor journal dump ", dir,
        " --type NameRecord` shows who has a name"));
  }
  return walk;
}

absl::StatusOr<size_t> TraceWalk::IndexOf(const Place& place) const {
  // A journal's messages are in its own order, so the first of them is the nearest.
  const auto found = std::find_if(stops_.begin(), stops_.end(), [&](const Stop& stop) {
    return stop.place.shard == place.shard && !(stop.place.position < place.position);
  });
  if (found != stops_.end()) return static_cast<size_t>(found - stops_.begin());
  return absl::NotFoundError(absl::StrCat(place.ToString(),
                                          ": no message of this walk is there or behind it; the "
                                          "first is at ",
                                          stops_.front().place.ToString(), ", the last at ",
                                          stops_.back().place.ToString()));
}

absl::StatusOr<std::optional<ActorFields>> TraceWalk::StateAt(
    uint32_t actor, const std::optional<Place>& until) const {
  const absl::StatusOr<std::unique_ptr<System>> past =
      System::Replay({.journal_dir = dir_, .until = until, .files = files_});
  if (!past.ok()) return past.status();
  for (const RecoveredActor& known : (*past)->RecoveredActors()) {
    if (static_cast<uint32_t>(known.id) == actor) return pipeline::StateOf(**past, known);
  }
  return std::optional<ActorFields>();
}

absl::StatusOr<std::string> TraceWalk::MessageAt(const Place& place, RecordFormat format) const {
  const absl::StatusOr<JournalReader> reader =
      JournalReader::Open(ShardJournalDir(dir_, place.shard), *files_);
  if (!reader.ok()) return reader.status();
  History history = reader->Replay({.from = place.position});
  const Record* record = history.Next();
  if (record == nullptr) {
    return history.status().ok()
               ? absl::DataLossError(absl::StrCat(place.ToString(), ": was removed meanwhile"))
               : history.status();
  }
  std::string line;
  AppendRecord(format, {place.shard, record}, line);
  line.pop_back();
  return line;
}

absl::StatusOr<WalkStep> TraceWalk::At(size_t index, RecordFormat format) const {
  const Stop& stop = stops_[index];
  absl::StatusOr<std::string> message = MessageAt(stop.place, format);
  if (!message.ok()) return message.status();
  absl::StatusOr<std::optional<ActorFields>> before = StateAt(stop.actor, stop.place);
  if (!before.ok()) return before.status();
  absl::StatusOr<std::optional<ActorFields>> after = StateAt(stop.actor, stop.behind);
  if (!after.ok()) return after.status();
  return WalkStep{.index = index,
                  .place = stop.place,
                  .actor = actors_.at(stop.actor),
                  .message = *std::move(message),
                  .before = *std::move(before),
                  .after = *std::move(after)};
}

absl::Status WriteWalk(const TraceWalk& walk, const WalkArguments& arguments, Output& output,
                       const ReadLine& read_line,
                       const std::function<void(const std::string&)>& say) {
  size_t at = 0;
  const auto go_to = [&](const std::string& text) -> absl::Status {
    const absl::StatusOr<Place> place = Place::Parse(text);
    if (!place.ok()) return place.status();
    const absl::StatusOr<size_t> index = walk.IndexOf(*place);
    if (index.ok()) at = *index;
    return index.status();
  };
  if (!arguments.at.empty()) {
    if (absl::Status status = go_to(arguments.at); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("--at: ", status.message()));
    }
  }
  const auto show = [&]() -> absl::Status {
    const absl::StatusOr<WalkStep> step =
        walk.At(at, arguments.json ? RecordFormat::kJson : RecordFormat::kText);
    if (!step.ok()) return step.status();
    return output.Write(StepText(*step, walk.size(), arguments.json));
  };
  if (arguments.steps.has_value()) {
    for (uint64_t left = *arguments.steps; left > 0 && at < walk.size(); --left, ++at) {
      if (absl::Status status = show(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  say(kWalkKeys);
  for (bool moved = true;;) {
    if (moved) {
      absl::Status status = show();
      if (status.ok()) status = output.Flush();
      if (!status.ok()) return status;
    }
    const std::optional<std::string> line = read_line();
    if (!line.has_value() || *line == "q") return absl::OkStatus();
    const size_t before = at;
    if (*line == "p") {
      if (at > 0) --at;
      if (at == before) say("this is the first message");
    } else if (line->empty() || *line == "n") {
      if (at + 1 < walk.size()) ++at;
      if (at == before) say("this is the last message");
    } else if (line->rfind("g ", 0) == 0) {
      if (absl::Status status = go_to(line->substr(2)); !status.ok()) {
        say(std::string(status.message()));
      }
    } else {
      say(kWalkKeys);
    }
    moved = at != before;
  }
}

}  // namespace bitactor::cli
