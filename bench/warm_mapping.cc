#include "bench/warm_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPageBytes = 4096;

absl::Status Failed(const char* what, const std::string& path, int error) {
  const std::string message = absl::StrCat(what, " '", path, "': ", std::strerror(error));
  return error == ENOSPC ? absl::UnavailableError(message) : absl::InternalError(message);
}

}  // namespace

absl::StatusOr<int> MakeAllocatedFile(const std::string& path, size_t size_bytes) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Failed("cannot create", path, errno);
  if (const int error = posix_fallocate(file, 0, static_cast<off_t>(size_bytes)); error != 0) {
    close(file);
    return Failed("cannot allocate the space of", path, error);
  }
  return file;
}

absl::StatusOr<std::unique_ptr<WarmMapping>> WarmMapping::Make(const std::string& path,
                                                               size_t size_bytes) {
  const auto file = MakeAllocatedFile(path, size_bytes);
  if (!file.ok()) return file.status();
  void* data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    close(*file);
    return Failed("cannot map", path, error);
  }
  std::unique_ptr<WarmMapping> mapping(
      new WarmMapping(*file, static_cast<std::byte*>(data), size_bytes));
  mapping->Warm();
  return mapping;
}

WarmMapping::~WarmMapping() {
  munmap(data_, size_bytes_);
  close(file_);
}

void WarmMapping::Warm() {
#if defined(MADV_POPULATE_WRITE)
  if (madvise(data_, size_bytes_, MADV_POPULATE_WRITE) == 0) return;
#endif
  // Kernels before 5.14: a store to each page does the same, a fault at a time.
  for (size_t at = 0; at < size_bytes_; at += kPageBytes) {
    auto* byte = reinterpret_cast<volatile unsigned char*>(data_ + at);
    *byte = *byte;
  }
}

}  // namespace bitactor::bench
