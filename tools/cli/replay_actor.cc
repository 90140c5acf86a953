#include "cli/replay_actor.h"

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "pipeline/actor_walk.h"
#include "pipeline/chain.h"

namespace bitactor::cli {
namespace {

using pipeline::WalkStep;

constexpr char kKeys[] =
    "n: the state behind the next message; p: the one before; a number: that one; q: end";

std::string ToText(const WalkStep& step, bool json) {
  nlohmann::ordered_json state = nlohmann::ordered_json::object();
  for (const pipeline::PayloadField& field : step.state) {
    std::visit([&](const auto& value) { state[std::string(field.name)] = value; }, field.value);
  }
  std::string message;
  if (step.next != nullptr) {
    const FrameHeader& header = step.next->message.header;
    const std::string type = pipeline::TypeNameOf(header.type);
    message = absl::StrCat(type.empty() ? absl::StrCat("type ", header.type) : type, " from ",
                           header.source, ", id ", header.message_id);
  }
  if (json) {
    nlohmann::ordered_json line = {{"number", step.number}, {"state", std::move(state)}};
    line["before"] = step.next != nullptr ? nlohmann::ordered_json(step.next->place.ToString())
                                          : nlohmann::ordered_json();
    line["message"] = message;
    return line.dump() + "\n";
  }
  std::string text = absl::StrCat("state ", step.number, "\n");
  for (const auto& [name, value] : state.items()) {
    absl::StrAppend(&text, "  ", name, ": ", value.dump(), "\n");
  }
  if (step.next != nullptr) {
    absl::StrAppend(&text, "-> ", step.next->place.ToString(), " ", message, "\n");
  }
  return text;
}

// The state of this number, or the last one; its text, and which it was.
struct Shown {
  uint64_t number = 0;
  std::string text;
};
absl::StatusOr<Shown> StateAt(const ReplaySpec& spec, const std::string& actor,
                              std::optional<uint64_t> number, bool json) {
  Shown shown;
  const absl::Status status = pipeline::WalkActor(spec, actor, [&](const WalkStep& step) {
    const bool is_last = step.next == nullptr;
    if (number.has_value() ? step.number == *number || (is_last && step.number < *number)
                           : is_last) {
      shown = {step.number, ToText(step, json)};
    }
  });
  if (!status.ok()) return status;
  return shown;
}

// Each step is a replay of its own, so that going back is no other than going on.
absl::Status Step(const ReplaySpec& spec, const std::string& actor, bool json) {
  std::fprintf(stderr, "%s\n", kKeys);
  std::optional<uint64_t> wanted;
  while (true) {
    absl::StatusOr<Shown> shown = StateAt(spec, actor, wanted, json);
    if (!shown.ok()) return shown.status();
    std::fputs(shown->text.c_str(), stdout);
    std::fflush(stdout);
    while (true) {
      std::string line;
      if (!std::getline(std::cin, line) || line == "q") return absl::OkStatus();
      uint64_t number = 0;
      if (line == "n" || line.empty()) {
        number = shown->number + 1;
      } else if (line == "p") {
        number = shown->number > 0 ? shown->number - 1 : 0;
      } else if (!absl::SimpleAtoi(line, &number)) {
        std::fprintf(stderr, "%s\n", kKeys);
        continue;
      }
      wanted = number;
      break;
    }
  }
}

}  // namespace

int ReplayActorCommand(const MessagesArguments& arguments, const std::string& actor, bool walk) {
  ReplaySpec spec;
  spec.journal_dir = arguments.dir;
  if (!arguments.until.empty()) {
    absl::StatusOr<Place> place = Place::Parse(arguments.until);
    if (!place.ok()) return Fail(place.status());
    spec.until = *place;
  }
  absl::Status status;
  if (arguments.step) {
    status = Step(spec, actor, arguments.json);
  } else if (walk) {
    status = pipeline::WalkActor(spec, actor, [&](const WalkStep& step) {
      std::fputs(ToText(step, arguments.json).c_str(), stdout);
    });
  } else {
    const absl::StatusOr<Shown> shown = StateAt(spec, actor, std::nullopt, arguments.json);
    status = shown.status();
    if (shown.ok()) std::fputs(shown->text.c_str(), stdout);
  }
  return status.ok() ? kExitOk : Fail(status);
}

}  // namespace bitactor::cli
