// `bitactor replay`.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/slot_table.h"
#include "cli/commands.h"
#include "cli/replay_actor.h"
#include "cli/replay_messages.h"
#include "pipeline/report.h"
#include "pipeline/run.h"

namespace bitactor::cli {
namespace {

struct ReplayArguments {
  // One mailbox, one name or all: the messages; else the state of the actors.
  MessagesArguments messages;
  bool all = false;
  std::string actor;  // its state alone; empty: everybody's
  bool walk = false;
  std::string dump_book;
};

// What only makes sense with messages.
absl::Status CheckForState(const ReplayArguments& arguments) {
  const MessagesArguments& messages = arguments.messages;
  const bool steps = messages.step && arguments.actor.empty();
  const char* option = !messages.from.empty() ? "--from"
                       : messages.limit != 0  ? "--limit"
                       : steps                ? "--step"
                                              : nullptr;
  if (option == nullptr) {
    if (!arguments.walk || !arguments.actor.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("--walk shows one actor's states: add --actor NAME");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      option, " is for replays of messages: add --all, --mailbox NUMBER or --name NAME"));
}

int Replay(const ReplayArguments& arguments) {
  const MessagesArguments& messages = arguments.messages;
  if (arguments.all || messages.mailbox.has_value() || messages.name.has_value()) {
    return ReplayMessagesCommand(messages);
  }
  if (absl::Status status = CheckForState(arguments); !status.ok()) return Fail(status);
  if (!arguments.actor.empty()) {
    return ReplayActorCommand(messages, arguments.actor, arguments.walk);
  }
  ReplaySpec spec;
  spec.journal_dir = messages.dir;
  if (!messages.until.empty()) {
    absl::StatusOr<Place> place = Place::Parse(messages.until);
    if (!place.ok()) return Fail(place.status());
    spec.until = *place;
  }
  absl::StatusOr<pipeline::ReplayReport> report = pipeline::ReplayRun(spec, arguments.dump_book);
  if (!report.ok()) return Fail(report.status());
  if (messages.json) {
    std::fputs(pipeline::ToJson(*report).c_str(), stdout);
    return kExitOk;
  }
  for (const std::string& line : report->dump) std::puts(line.c_str());
  std::fputs(pipeline::ToText(*report).c_str(), arguments.dump_book.empty() ? stdout : stderr);
  return kExitOk;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ReplayArguments>();
  MessagesArguments& messages = arguments->messages;
  CLI::App* replay = app.add_subcommand(
      "replay",
      "Rebuild every actor of a run from its journals, or show the messages again in causal order");
  replay->add_option("DIR,--journal", messages.dir, "The run's journal folder")->required();
  CLI::Option* all =
      replay->add_flag("--all", arguments->all, "Show the messages of all mailboxes");
  CLI::Option* mailbox =
      replay
          ->add_option("--mailbox", messages.mailbox,
                       "Show what was routed to this mailbox when it was handled")
          ->check(CLI::Range(uint32_t{0}, SlotTable::kMaxMailboxes - 1));
  CLI::Option* name =
      replay->add_option("--name", messages.name, "Show what went to the one of this name");
  all->excludes(mailbox)->excludes(name);
  mailbox->excludes(name);
  replay
      ->add_option(
          "--actor", arguments->actor,
          "Show the state of the actor of this name or number, before --until or at the end")
      ->excludes(all)
      ->excludes(mailbox)
      ->excludes(name);
  replay->add_flag("--walk", arguments->walk,
                   "With --actor: every state that it was in, and the message that changed it");
  replay->add_option("--from", messages.from,
                     "SHARD:POSITION: the messages that are not before that frame");
  replay->add_option(
      "--until", messages.until,
      "SHARD:POSITION: the state just before that frame, or the messages before it (`bitactor "
      "journal dump` shows positions)");
  replay->add_option("--limit", messages.limit, "So many messages at most");
  replay->add_flag("--step", messages.step,
                   "One message at a time: Enter on standard input for the next, a number for so "
                   "many, q to end; with --actor one state: n for the next, p for the one before");
  replay
      ->add_option("--dump-book", arguments->dump_book,
                   "Print this symbol's book; the summary goes to standard error")
      ->excludes(all)
      ->excludes(mailbox)
      ->excludes(name);
  replay->add_flag("--json", messages.json, "Print one JSON object, or one for each message");
  replay->footer(
      "Examples:\n"
      "  bitactor replay run1\n"
      "  bitactor replay run1 --until 0:4711 --dump-book AAPL\n"
      "  bitactor replay run1 --actor position/AAPL --until 0:4711\n"
      "  bitactor replay run1 --actor position/AAPL --step\n"
      "  bitactor replay run1 --mailbox 17 --step\n"
      "  bitactor replay run1 --all --from 0:4711 --limit 100 --json\n"
      "\n"
      "Messages have their original stamps and come after those whose handling caused them.");
  replay->callback([arguments, &exit_code] { exit_code = Replay(*arguments); });
}

}  // namespace bitactor::cli
