#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitactor::cli {
namespace {

constexpr size_t kCollectBytes = size_t{1} << 18;

class Standard final : public Output {
 public:
  absl::Status Finish() override { return Flush(); }

 private:
  absl::Status WriteThrough(std::string_view text) override {
    while (!text.empty()) {
      const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<size_t>(written));
      } else if (errno == EPIPE) {
        return absl::CancelledError("standard output: its reader has gone");
      } else if (errno != EINTR) {
        return absl::InternalError(
            absl::StrCat("standard output: ", std::strerror(errno),
                         "; what was written before this is not all: make room and run it again"));
      }
    }
    return absl::OkStatus();
  }
};

class ToFile final : public Output {
 public:
  ToFile(FileSystem& files, std::string path, std::string partial, std::unique_ptr<File> file)
      : files_(files),
        path_(std::move(path)),
        partial_(std::move(partial)),
        file_(std::move(file)) {}
  ~ToFile() override {
    if (!finished_) files_.Remove(partial_).IgnoreError();
  }

  absl::Status Finish() override {
    if (absl::Status status = Flush(); !status.ok()) return status;
    if (absl::Status status = file_->Sync(); !status.ok()) return status;
    file_.reset();
    if (absl::Status status = files_.Rename(partial_, path_); !status.ok()) return status;
    finished_ = true;
    const std::string folder = std::filesystem::path(path_).parent_path().string();
    return files_.SyncDirectory(folder.empty() ? "." : folder);
  }

 private:
  absl::Status WriteThrough(std::string_view text) override {
    const auto bytes = std::as_bytes(std::span(text));
    absl::Status status = file_->WriteAt(offset_, bytes);
    offset_ += bytes.size();
    return status;
  }

  FileSystem& files_;
  const std::string path_;
  const std::string partial_;
  std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
  bool finished_ = false;
};

volatile std::sig_atomic_t stop_asked = 0;
void AskToStop(int) { stop_asked = 1; }

}  // namespace

absl::Status Output::Write(std::string_view text) {
  collected_ += text;
  return collected_.size() < kCollectBytes ? absl::OkStatus() : Flush();
}

absl::Status Output::Flush() {
  absl::Status status = WriteThrough(collected_);
  collected_.clear();
  return status;
}

std::unique_ptr<Output> StandardOutput() {
  std::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<Standard>();
}

absl::StatusOr<std::unique_ptr<Output>> FileOutput(FileSystem& files, const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": this is a directory; name a file in it"));
  }
  const std::string partial = path + ".partial";
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(partial, FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  return std::make_unique<ToFile>(files, path, partial, *std::move(file));
}

class StopSignal::Handlers {
 public:
  Handlers() {
    struct sigaction action = {};
    action.sa_handler = &AskToStop;  // without SA_RESTART: a wait ends
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~Handlers() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }

 private:
  struct sigaction interrupt_ = {};
  struct sigaction terminate_ = {};
};

StopSignal::StopSignal() {
  stop_asked = 0;
  before_ = std::make_unique<Handlers>();
}
StopSignal::~StopSignal() = default;

bool StopSignal::stopped() const { return stop_asked != 0; }

bool StopSignal::Wait(uint64_t wait_ns) const {
  // A signal between this look and the poll is seen after the poll, so waits are to be short.
  if (stopped()) return false;
  pollfd reader{STDOUT_FILENO, 0, 0};
  const auto wait_ms = static_cast<int>((wait_ns + 999'999) / 1'000'000);
  const bool gone = poll(&reader, 1, wait_ms) == 1;  // no event is asked for but that
  return !gone && !stopped();
}

}  // namespace bitactor::cli
