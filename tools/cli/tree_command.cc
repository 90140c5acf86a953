// `bitactor tree`.
#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/file.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace bitactor::cli {
namespace {

struct TreeArguments {
  std::string dir;
  bool json = false;
};

absl::StatusOr<nlohmann::ordered_json> ReadTree(const std::string& dir) {
  std::error_code ignored;
  const std::string path =
      std::filesystem::is_directory(dir, ignored) ? JoinPath(dir, "tree") : dir;
  absl::StatusOr<std::unique_ptr<File>> file = PosixFiles().Open(path, FileSystem::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(
        absl::StrCat(std::string(file.status().message()),
                     "; a system writes it when it starts, below its journal folder or where "
                     "SystemOptions::tree_file says"));
  }
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> size = (*file)->SizeBytes();
  if (!size.ok()) return size.status();
  std::string text(*size, '\0');
  const absl::StatusOr<size_t> got = (*file)->ReadAt(0, std::as_writable_bytes(std::span(text)));
  if (!got.ok()) return got.status();
  text.resize(*got);
  auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("format", "") != "bitactor tree 1" ||
      !json.contains("tree") || !json["tree"].is_object()) {
    return absl::DataLossError(
        absl::StrCat(path, " is no tree of a system (its format is not \"bitactor tree 1\")"));
  }
  return json;
}

// A supervisor that gave up anywhere.
bool HasGivenUp(const nlohmann::ordered_json& node) {
  if (node.value("gave_up", false)) return true;
  if (!node.contains("children")) return false;
  for (const auto& child : node["children"]) {
    if (HasGivenUp(child)) return true;
  }
  return false;
}

int Tree(const TreeArguments& arguments) {
  absl::StatusOr<nlohmann::ordered_json> tree = ReadTree(arguments.dir);
  if (!tree.ok()) return Fail(tree.status());
  const auto pid = tree->value("pid", int64_t{0});
  const bool running = tree->value("running", false);
  // Of another machine, or of a program that was killed.
  const bool gone =
      running && (pid <= 0 || (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH));
  std::string text;
  if (arguments.json) {
    tree->erase("text");
    (*tree)["writer_is_gone"] = gone;
    text = tree->dump(2) + "\n";
  } else {
    text = tree->value("text", "");
    if (gone) absl::StrAppend(&text, "The program that wrote this (pid ", pid, ") was killed.\n");
    if (!running) text += "The system has stopped: this is its last state.\n";
  }
  const std::unique_ptr<Output> output = StandardOutput();
  absl::Status status = output->Write(text);
  if (status.ok()) status = output->Flush();
  if (!status.ok() && !absl::IsCancelled(status)) return Fail(status);
  return gone || HasGivenUp((*tree)["tree"]) ? kExitFoundProblem : kExitOk;
}

}  // namespace

void AddTreeCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<TreeArguments>();
  CLI::App* tree = app.add_subcommand(
      "tree",
      "Draw who supervises whom in a system: states, restarts, last ends; live, or the last");
  tree->add_option("DIR", arguments->dir,
                   "A system's journal folder, or the file of SystemOptions::tree_file")
      ->required();
  tree->add_flag("--json", arguments->json, "For programs: all of it");
  tree->footer(
      "Examples:\n"
      "  bitactor tree run1\n"
      "  bitactor tree run1 --json\n"
      "\nReads only, and holds nobody up. What it shows is at most 100 ms old while the system "
      "runs; "
      "of each supervisor the first 100 children."
      "\nExit code 1: a supervisor gave up, the program was killed, or the file is damaged.");
  tree->callback([arguments, &exit_code] { exit_code = Tree(*arguments); });
}

}  // namespace bitactor::cli
