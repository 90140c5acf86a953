// A file mapped for writing, with its disk space allocated and its pages in place: storage as warm
// as a journal's can be, for loops that show what a store into it costs at least.
#ifndef BITACTOR_BENCH_WARM_MAPPING_H_
#define BITACTOR_BENCH_WARM_MAPPING_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace bitactor::bench {

// Threads: one.
// Ownership: unmaps and closes at the end; the file stays, in the work directory.
// Errors: kUnavailable for a full disk, which skips the row; else kInternal with path and cause.
class WarmMapping {
 public:
  // REQUIRES: size_bytes is a multiple of 4096.
  static absl::StatusOr<std::unique_ptr<WarmMapping>> Make(const std::string& path,
                                                           size_t size_bytes);
  ~WarmMapping();
  WarmMapping(const WarmMapping&) = delete;
  WarmMapping& operator=(const WarmMapping&) = delete;

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  // Makes every page present and writable. Before each run: the kernel write-protects the pages it
  // has written back, and the next store to such a page faults.
  void Warm();

 private:
  WarmMapping(int file, std::byte* data, size_t size_bytes)
      : file_(file), data_(data), size_bytes_(size_bytes) {}

  const int file_;
  std::byte* const data_;
  const size_t size_bytes_;
};

// A new file of this size with its space allocated; the descriptor is the caller's.
absl::StatusOr<int> MakeAllocatedFile(const std::string& path, size_t size_bytes);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_WARM_MAPPING_H_
