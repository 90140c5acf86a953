// A file system that asks a test before each of its steps, which may look at it, or let it fail.
#ifndef BITACTOR_TESTS_SUPPORT_FAULTY_FILES_H_
#define BITACTOR_TESTS_SUPPORT_FAULTY_FILES_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/file.h"

namespace bitactor::test {

enum class FileStep {
  kOpen,    // of an existing file
  kRead,    // size, bytes or a mapping
  kCreate,  // a file or a directory
  kWrite,   // asked twice for each, once before either half of the bytes
  kSync,    // of a file
  kRename,  // to this path
  kRemove,
  kSyncDirectory,
  kList,
};

// OK lets the step happen; any other status is its result instead, and it does not happen.
using AskBefore = std::function<absl::Status(FileStep step, const std::string& path)>;

// Threads: as `under`, if `ask` is. Locks, allocation and resizing are not asked about.
class FaultyFiles final : public FileSystem {
 public:
  FaultyFiles(FileSystem& under, AskBefore ask) : under_(under), ask_(std::move(ask)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
    absl::Status status = ask_(creates ? FileStep::kCreate : FileStep::kOpen, path);
    if (!status.ok()) return status;
    absl::StatusOr<std::unique_ptr<File>> file = under_.Open(path, mode);
    if (!file.ok()) return file.status();
    return std::make_unique<FaultyFile>(*std::move(file), path, ask_);
  }
  absl::Status CreateDir(const std::string& path) override {
    absl::Status status = ask_(FileStep::kCreate, path);
    return status.ok() ? under_.CreateDir(path) : status;
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    absl::Status status = ask_(FileStep::kList, dir);
    if (!status.ok()) return status;
    return under_.List(dir);
  }
  absl::StatusOr<bool> Exists(const std::string& path) override { return under_.Exists(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    absl::Status status = ask_(FileStep::kRename, to);
    return status.ok() ? under_.Rename(from, to) : status;
  }
  absl::Status Remove(const std::string& path) override {
    absl::Status status = ask_(FileStep::kRemove, path);
    return status.ok() ? under_.Remove(path) : status;
  }
  absl::Status SyncDirectory(const std::string& dir) override {
    absl::Status status = ask_(FileStep::kSyncDirectory, dir);
    return status.ok() ? under_.SyncDirectory(dir) : status;
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 uint64_t now_ns) override {
    return under_.Lock(path, now_ns);
  }
  absl::StatusOr<std::optional<LockOwner>> LockedBy(const std::string& path) override {
    return under_.LockedBy(path);
  }
  uint64_t BootId() override { return under_.BootId(); }

 private:
  class FaultyFile final : public File {
   public:
    FaultyFile(std::unique_ptr<File> under, std::string path, const AskBefore& ask)
        : under_(std::move(under)), path_(std::move(path)), ask_(ask) {}

    absl::StatusOr<uint64_t> SizeBytes() const override {
      absl::Status status = ask_(FileStep::kRead, path_);
      if (!status.ok()) return status;
      return under_->SizeBytes();
    }
    absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) const override {
      absl::Status status = ask_(FileStep::kRead, path_);
      if (!status.ok()) return status;
      return under_->ReadAt(offset, into);
    }
    absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) override {
      const size_t half = bytes.size() / 2;
      absl::Status status = ask_(FileStep::kWrite, path_);
      if (status.ok()) status = under_->WriteAt(offset, bytes.first(half));
      if (status.ok()) status = ask_(FileStep::kWrite, path_);
      if (status.ok()) status = under_->WriteAt(offset + half, bytes.subspan(half));
      return status;
    }
    absl::Status Allocate(uint64_t size_bytes) override { return under_->Allocate(size_bytes); }
    absl::Status Resize(uint64_t size_bytes) override { return under_->Resize(size_bytes); }
    absl::Status Sync() override {
      absl::Status status = ask_(FileStep::kSync, path_);
      return status.ok() ? under_->Sync() : status;
    }
    absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t offset, size_t size_bytes,
                                                 Access access) override {
      absl::Status status = ask_(FileStep::kRead, path_);
      if (!status.ok()) return status;
      return under_->Map(offset, size_bytes, access);
    }

   private:
    const std::unique_ptr<File> under_;
    const std::string path_;
    const AskBefore& ask_;
  };

  FileSystem& under_;
  const AskBefore ask_;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_FAULTY_FILES_H_
