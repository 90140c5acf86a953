#include "cli/replay_messages.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/commands.h"

namespace bitactor::cli {
namespace {

constexpr char kKeys[] = "Enter: the next message; a number: so many; q: end";

// An id as people read it: with its name, if it has one.
std::string Named(const FabricReplay& replay, ActorId id) {
  const std::string_view name = replay.NameOf(id);
  if (name.empty()) return std::to_string(static_cast<uint32_t>(id));
  return absl::StrCat("\"", absl::CHexEscape(absl::string_view(name.data(), name.size())), "\"");
}

absl::StatusOr<std::optional<Place>> ParsePlace(const char* option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  absl::StatusOr<Place> place = Place::Parse(text);
  if (!place.ok()) {
    return absl::Status(place.status().code(),
                        absl::StrCat(option, ": ", place.status().message()));
  }
  return *place;
}

std::optional<std::string> ReadStandardInput() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

}  // namespace

void AppendReplayed(RecordFormat format, const ReplayedMessage& message, const FabricReplay& replay,
                    std::string& out) {
  AppendRecord(format, {message.place().shard, &message.record()}, out);
  const std::optional<uint32_t> mailbox = message.mailbox();
  if (format != RecordFormat::kJson) {
    out.pop_back();  // the line goes on
    absl::StrAppend(&out, "  mailbox ", mailbox.has_value() ? absl::StrCat(*mailbox) : "unknown",
                    " ", Named(replay, message.source()), " -> ", Named(replay, message.target()),
                    "\n");
    return;
  }
  out.resize(out.size() - std::string_view("}\n").size());  // the object goes on
  const auto text = [&](ActorId id) { return JsonText(std::string(replay.NameOf(id))); };
  absl::StrAppend(&out, ",\"mailbox\":", mailbox.has_value() ? absl::StrCat(*mailbox) : "null",
                  ",\"boot\":", message.boot(), ",\"source_name\":", text(message.source()),
                  ",\"target_name\":", text(message.target()), "}\n");
}

std::optional<uint64_t> ParseStep(const std::string& line) {
  uint64_t count = 0;
  if (line.empty()) return 1;
  if (line == "q") return 0;
  if (absl::SimpleAtoi(line, &count) && count > 0) return count;
  return std::nullopt;
}

absl::Status WriteReplay(FabricReplay& replay, const MessagesArguments& arguments, Output& output,
                         const ReadLine& read_line,
                         const std::function<void(const std::string&)>& say) {
  const bool stepping = read_line != nullptr;
  if (stepping) say(kKeys);
  uint64_t wanted = 1;  // before the next question
  std::string line;
  for (uint64_t written = 0; arguments.limit == 0 || written < arguments.limit;) {
    while (stepping && wanted == 0) {
      const std::optional<std::string> answer = read_line();
      const std::optional<uint64_t> count = answer.has_value() ? ParseStep(*answer) : 0;
      if (count == 0u) return absl::OkStatus();
      if (!count.has_value()) say(kKeys);
      wanted = count.value_or(0);
    }
    const ReplayedMessage* message = replay.Next();
    if (message == nullptr) return replay.status();
    line.clear();
    AppendReplayed(arguments.json ? RecordFormat::kJson : RecordFormat::kText, *message, replay,
                   line);
    if (absl::Status status = output.Write(line); !status.ok()) return status;
    ++written;
    if (!stepping) continue;
    --wanted;
    if (absl::Status status = output.Flush(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

int ReplayMessagesCommand(const MessagesArguments& arguments) {
  if (arguments.name == "") {
    return Fail(
        absl::InvalidArgumentError("--name: nobody has an empty name; write 1 to 116 bytes"));
  }
  absl::StatusOr<std::optional<Place>> from = ParsePlace("--from", arguments.from);
  if (!from.ok()) return Fail(from.status());
  absl::StatusOr<std::optional<Place>> until = ParsePlace("--until", arguments.until);
  if (!until.ok()) return Fail(until.status());
  absl::StatusOr<FabricReplay> replay =
      FabricReplay::Open(arguments.dir, {.mailbox = arguments.mailbox,
                                         .name = arguments.name.value_or(""),
                                         .from = *from,
                                         .until = *until,
                                         .skip_gaps = true});
  if (!replay.ok()) return Fail(replay.status());
  const std::unique_ptr<Output> output = StandardOutput();
  absl::Status status =
      WriteReplay(*replay, arguments, *output, arguments.step ? ReadStandardInput : ReadLine(),
                  [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
  // What could be read is shown, also when damage ended it.
  if (!absl::IsCancelled(status)) {
    if (absl::Status finished = output->Finish(); status.ok()) status = std::move(finished);
  }
  if (replay->gaps_skipped() != 0) {
    std::fprintf(stderr, "bitactor: %llu gaps were passed over, bytes that a repair gave up\n",
                 static_cast<unsigned long long>(replay->gaps_skipped()));
  }
  return status.ok() || absl::IsCancelled(status) ? kExitOk : Fail(status);
}

}  // namespace bitactor::cli
