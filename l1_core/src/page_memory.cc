#include "bitactor/l1_core/page_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "bitactor/l1_core/placement.h"

namespace bitactor {
namespace {

size_t PageBytes() {
  static const size_t page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return page_bytes;
}

constexpr size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// How much of [data, data + size_bytes) lies in huge pages. The guard pages keep the kernel from
// joining the range with a neighbour, so that it is one entry of smaps.
size_t HugeBytesAt(const std::byte* data, size_t size_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  const std::string head = absl::StrFormat("%x-%x ", address, address + size_bytes);
  std::ifstream smaps("/proc/self/smaps");
  bool ours = false;
  for (std::string line; std::getline(smaps, line);) {
    if (!ours) {
      ours = absl::StartsWith(line, head);
    } else if (absl::StartsWith(line, "AnonHugePages:")) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      uint64_t kib = 0;
      if (words.size() < 2 || !absl::SimpleAtoi(words[1], &kib)) return 0;
      return kib * 1024;
    }
  }
  return 0;
}

}  // namespace

absl::StatusOr<PageMemory> PageMemory::Map(size_t size_bytes, PageOptions options) {
  const size_t page_bytes =
      options.huge_pages ? std::max(kHugePageBytes, PageBytes()) : PageBytes();
  if (size_bytes == 0 || size_bytes > PTRDIFF_MAX / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot map ", size_bytes, " bytes of memory: 1 to ", PTRDIFF_MAX / 2));
  }
  // Room for both guards, and for the data to begin at a whole page of its kind.
  PageMemory memory;
  memory.size_bytes_ = RoundUp(size_bytes, page_bytes);
  memory.mapping_bytes_ = memory.size_bytes_ + page_bytes + PageBytes();
  void* const mapping =
      ::mmap(nullptr, memory.mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot map ", memory.mapping_bytes_, " bytes of memory: ask for less"));
  }
  memory.mapping_ = mapping;
  const auto begin = reinterpret_cast<uintptr_t>(mapping);
  memory.data_ =
      static_cast<std::byte*>(mapping) + (RoundUp(begin + PageBytes(), page_bytes) - begin);
  if (::mprotect(memory.data_, memory.size_bytes_, PROT_READ | PROT_WRITE) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no ", memory.size_bytes_,
                     " bytes of memory to write: ask for less, or see vm.overcommit_memory"));
  }
  if (options.numa_node.has_value()) {
    const absl::Status placed = PlaceMemory(memory.data_, memory.size_bytes_, *options.numa_node);
    if (!placed.ok()) return placed;
  }
  // A kernel without huge pages refuses, which changes nothing.
  if (options.huge_pages) {
    static_cast<void>(::madvise(memory.data_, memory.size_bytes_, MADV_HUGEPAGE));
  }
  for (size_t at = 0; at < memory.size_bytes_; at += PageBytes()) {
    *static_cast<volatile std::byte*>(memory.data_ + at) = std::byte{0};
  }
  if (options.huge_pages) memory.huge_bytes_ = HugeBytesAt(memory.data_, memory.size_bytes_);
  return memory;
}

PageMemory::PageMemory(PageMemory&& other) noexcept { *this = std::move(other); }

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_bytes_, other.mapping_bytes_);
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(huge_bytes_, other.huge_bytes_);
  return *this;
}

PageMemory::~PageMemory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

}  // namespace bitactor
