#include "cli/run_manifest.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace bitactor::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "run.json";

absl::Status Write(const std::string& path, const Manifest& manifest) {
  // Aside and then in one step: a crash leaves none or a whole one.
  const std::string aside = path + ".new";
  std::ofstream out(aside, std::ios::trunc);
  out << nlohmann::ordered_json(manifest).dump(2) << "\n";
  out.close();
  std::error_code error;
  if (out) fs::rename(aside, path, error);
  if (!out || error) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be written: ", error ? error.message() : std::strerror(errno),
                     "; choose a folder that may be written, or free some space"));
  }
  return absl::OkStatus();
}

absl::Status Compare(const std::string& path, const Manifest& manifest) {
  std::ifstream in(path);
  const nlohmann::json found = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!found.is_object()) {
    return absl::DataLossError(
        absl::StrCat(path,
                     ": is no JSON object; it says which feed this journal belongs to, "
                     "and without it the run cannot be resumed"));
  }
  for (const auto& [key, value] : manifest) {
    const std::string before = found.value(key, "");
    if (before == value) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": this journal is of another run: ", key, " was \"", before, "\", now it is \"",
        value, "\"; resume with the same feed, or take a new folder"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string FileIdentity(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return absl::StrCat(fs::path(path).filename().string(), ", ", error ? 0 : size, " bytes");
}

absl::Status BeginOrResume(const std::string& journal_dir, bool resume, const Manifest& manifest) {
  if (journal_dir.empty()) {
    if (!resume) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "--resume needs --journal DIR: the folder of the run to go on with");
  }
  const std::string path = absl::StrCat(journal_dir, "/", kName);
  std::error_code error;
  if (fs::exists(journal_dir, error) && !fs::is_directory(journal_dir, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(journal_dir, ": is a file; --journal takes a folder"));
  }
  const bool exists = fs::exists(path, error);
  if (resume) {
    if (exists) return Compare(path, manifest);
    return absl::NotFoundError(absl::StrCat(journal_dir, ": no run to resume here (no ", kName,
                                            "); leave out --resume to begin one"));
  }
  if (exists || fs::exists(absl::StrCat(journal_dir, "/shard-00"), error)) {
    return absl::AlreadyExistsError(absl::StrCat(
        journal_dir,
        ": has the journals of a run; add --resume to go on with it, or take a new folder"));
  }
  fs::create_directory(journal_dir, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat(journal_dir, ": cannot be made: ", error.message(),
                     "; choose a folder whose parent exists and may be written"));
  }
  return Write(path, manifest);
}

}  // namespace bitactor::cli
