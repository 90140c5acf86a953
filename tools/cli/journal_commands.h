// The journal commands behind their command line: each does its work and returns its exit code.
#ifndef BITACTOR_TOOLS_CLI_JOURNAL_COMMANDS_H_
#define BITACTOR_TOOLS_CLI_JOURNAL_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cli/journal_filter.h"

namespace bitactor::cli {

struct StatArguments {
  std::string dir;
  bool json = false;
  bool segments = false;
};

struct VerifyArguments {
  std::string dir;
  bool json = false;
};

struct RepairArguments {
  std::string dir;
  bool dry_run = false;
  bool json = false;
};

struct IndexArguments {
  std::string dir;
};

struct DumpArguments {
  std::string dir;
  FilterArguments filter;
  uint64_t limit = 0;  // 0: all
  bool hex = false;
  bool json = false;
};

struct TailArguments {
  std::string dir;
  FilterArguments filter;
  uint64_t last = 10;
  bool follow = false;
  std::string follow_for;  // a duration; empty: until stopped
  std::optional<uint64_t> count;
  bool hex = false;
  bool json = false;
};

struct ExportArguments {
  std::string dir;
  FilterArguments filter;
  uint64_t limit = 0;  // 0: all
  std::string format = "jsonl";
  std::string output;  // empty: standard output
};

int StatCommand(const StatArguments& arguments);
int VerifyCommand(const VerifyArguments& arguments);
int RepairCommand(const RepairArguments& arguments);
int IndexCommand(const IndexArguments& arguments);
int DumpCommand(const DumpArguments& arguments);
int TailCommand(const TailArguments& arguments);
int ExportCommand(const ExportArguments& arguments);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_JOURNAL_COMMANDS_H_
