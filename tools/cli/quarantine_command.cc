// `bitactor quarantine`.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/quarantine_file.h"
#include "cli/commands.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

struct QuarantineArguments {
  std::string dir;
  bool json = false;
  bool hex = false;
};

absl::string_view BytesOf(const QuarantinedFrame& frame) {
  return {reinterpret_cast<const char*>(&frame.frame), sizeof(Frame)};
}

// The header as it was found, whether it can be believed or not.
Json JsonOf(const QuarantinedFrame& frame, bool hex) {
  const FrameHeader& header = frame.frame.header;
  Json json = {{"shard", frame.shard},
               {"number", frame.number},
               {"found_ns", frame.found_ns},
               {"fault", LaneFaultName(frame.fault)},
               {"from_port", frame.from_port},
               {"to_port", frame.to_port},
               {"size_bytes", static_cast<int>(header.size_bytes)},
               {"kind", static_cast<int>(header.kind)},
               {"source", header.source},
               {"target", header.target},
               {"message_id", header.message_id},
               {"stamp_ns", header.stamp_ns},
               {"type", absl::StrFormat("%08x", header.type)}};
  if (hex) json["bytes"] = absl::BytesToHexString(BytesOf(frame));
  return json;
}

void Print(const QuarantinedFrame& frame, bool hex) {
  const FrameHeader& header = frame.frame.header;
  std::printf("  %u:%llu  %llu  %-8s  port %u to port %u;  found: kind %d, %d bytes, %u -> %u\n",
              frame.shard, static_cast<unsigned long long>(frame.number),
              static_cast<unsigned long long>(frame.found_ns), LaneFaultName(frame.fault),
              frame.from_port, frame.to_port, static_cast<int>(header.kind),
              static_cast<int>(header.size_bytes), header.source, header.target);
  if (!hex) return;
  const std::string digits = absl::BytesToHexString(BytesOf(frame));
  constexpr size_t kDigitsPerLine = 64;
  for (size_t at = 0; at < digits.size(); at += kDigitsPerLine) {
    std::printf("    %3d  %s\n", static_cast<int>(at / 2),
                digits.substr(at, kDigitsPerLine).c_str());
  }
}

int Quarantine(const QuarantineArguments& arguments) {
  const absl::StatusOr<std::vector<QuarantineFile>> all =
      ReadQuarantineFiles(PosixFiles(), arguments.dir);
  if (!all.ok()) return Fail(all.status());
  Json list = Json::array();
  bool damaged = false;
  for (const QuarantineFile& file : *all) {
    damaged |= !file.damages.empty();
    if (arguments.json) {
      Json frames = Json::array();
      for (const QuarantinedFrame& frame : file.frames) {
        frames.push_back(JsonOf(frame, arguments.hex));
      }
      list.push_back({{"file", file.path},
                      {"boot", file.boot},
                      {"quarantined", file.quarantined},
                      {"frames", frames},
                      {"damages", file.damages}});
      continue;
    }
    std::printf("%s: start %u, %llu quarantined, %llu kept\n", file.path.c_str(), file.boot,
                static_cast<unsigned long long>(file.quarantined),
                static_cast<unsigned long long>(file.frames.size()));
    for (const QuarantinedFrame& frame : file.frames) Print(frame, arguments.hex);
    for (const std::string& damage : file.damages) std::printf("  damaged: %s\n", damage.c_str());
  }
  if (arguments.json) {
    std::printf("%s\n", list.dump(2).c_str());
  } else if (all->empty()) {
    std::printf("%s: nothing was quarantined in a run that was stopped\n", arguments.dir.c_str());
  }
  return damaged ? kExitFoundProblem : kExitOk;
}

}  // namespace

void AddQuarantineCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<QuarantineArguments>();
  CLI::App* command = app.add_subcommand(
      "quarantine",
      "List the frames that a run could not trust: wrong checksum, size, kind, source");
  command->add_option("DIR", arguments->dir, "A run's journal folder")->required();
  command->add_flag("--json", arguments->json, "For programs");
  command->add_flag("--hex", arguments->hex, "With all 192 bytes of each");
  command->footer(
      "What is printed after \"found\" is what the frame says, which may be the fault itself.\n"
      "Exit code 1 if a quarantine file is damaged.\n"
      "Example:\n  bitactor quarantine run1 --hex");
  command->callback([arguments, &exit_code] { exit_code = Quarantine(*arguments); });
}

}  // namespace bitactor::cli
