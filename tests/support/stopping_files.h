// Files whose process or machine stops in the middle of the n-th change.
#ifndef BITACTOR_TESTS_SUPPORT_STOPPING_FILES_H_
#define BITACTOR_TESTS_SUPPORT_STOPPING_FILES_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/file.h"

namespace bitactor::test {

// Passes everything on, until `changes` changes of files or directories were made. The next one, if
// it is a write, is done by half; from then on everything that changes anything is refused. What is
// stored through mappings is not counted.
class StoppingFiles : public FileSystem {
 public:
  StoppingFiles(FileSystem& files, uint64_t changes) : files_(files), left_(changes) {}

  bool stopped() const { return stopped_; }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    if ((mode == OpenMode::kCreate || mode == OpenMode::kCreateNew) && Stops()) return Stopped();
    absl::StatusOr<std::unique_ptr<File>> file = files_.Open(path, mode);
    if (!file.ok()) return file.status();
    return std::make_unique<StoppingFile>(*this, *std::move(file));
  }
  absl::Status CreateDir(const std::string& path) override {
    return Stops() ? Stopped() : files_.CreateDir(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    return files_.List(dir);
  }
  absl::StatusOr<bool> Exists(const std::string& path) override { return files_.Exists(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Stops() ? Stopped() : files_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    return Stops() ? Stopped() : files_.Remove(path);
  }
  absl::Status SyncDirectory(const std::string& dir) override {
    return stopped_ ? Stopped() : files_.SyncDirectory(dir);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 uint64_t now_ns) override {
    return files_.Lock(path, now_ns);
  }
  absl::StatusOr<std::optional<LockOwner>> LockedBy(const std::string& path) override {
    return files_.LockedBy(path);
  }
  uint64_t BootId() override { return files_.BootId(); }

 private:
  class StoppingFile : public File {
   public:
    StoppingFile(StoppingFiles& files, std::unique_ptr<File> file)
        : files_(files), file_(std::move(file)) {}
    absl::StatusOr<uint64_t> SizeBytes() const override { return file_->SizeBytes(); }
    absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) const override {
      return file_->ReadAt(offset, into);
    }
    absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) override {
      const bool was_stopped = files_.stopped_;
      if (!files_.Stops()) return file_->WriteAt(offset, bytes);
      // A commit word is one store.
      if (!was_stopped && bytes.size() > 8) {
        file_->WriteAt(offset, bytes.first(bytes.size() / 2)).IgnoreError();
      }
      return Stopped();
    }
    absl::Status Allocate(uint64_t size_bytes) override {
      return files_.Stops() ? Stopped() : file_->Allocate(size_bytes);
    }
    absl::Status Resize(uint64_t size_bytes) override {
      return files_.Stops() ? Stopped() : file_->Resize(size_bytes);
    }
    absl::Status Sync() override { return files_.stopped_ ? Stopped() : file_->Sync(); }
    absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t offset, size_t size_bytes,
                                                 Access access) override {
      return file_->Map(offset, size_bytes, access);
    }

   private:
    StoppingFiles& files_;
    const std::unique_ptr<File> file_;
  };

  static absl::Status Stopped() { return absl::InternalError("stopped"); }
  // Counts a change; whether it is not to be made.
  bool Stops() {
    if (left_ == 0) stopped_ = true;
    if (!stopped_) --left_;
    return stopped_;
  }

  FileSystem& files_;
  uint64_t left_;
  bool stopped_ = false;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_STOPPING_FILES_H_
