// What a journal folder is the run of, so that it is not resumed with another feed.
#ifndef BITACTOR_TOOLS_CLI_RUN_MANIFEST_H_
#define BITACTOR_TOOLS_CLI_RUN_MANIFEST_H_

#include <map>
#include <string>

#include "absl/status/status.h"

namespace bitactor::cli {

using Manifest = std::map<std::string, std::string>;

// A feed file's name without its folder, and its length.
std::string FileIdentity(const std::string& path);

// Before a run: makes the folder and writes run.json, or, to resume, compares with the one there.
// No folder: nothing to do.
// Errors: a folder that has a run already when not resuming, or none when resuming, or another
//   feed's.
absl::Status BeginOrResume(const std::string& journal_dir, bool resume, const Manifest& manifest);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_RUN_MANIFEST_H_
