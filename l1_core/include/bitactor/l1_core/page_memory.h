// Memory for pools, straight from the kernel: whole pages, present before use, huge where wanted.
#ifndef BITACTOR_L1_CORE_PAGE_MEMORY_H_
#define BITACTOR_L1_CORE_PAGE_MEMORY_H_

#include <cstddef>
#include <optional>

#include "absl/status/statusor.h"

namespace bitactor {

struct PageOptions {
  // Ask for pages of 2 MiB. Where the kernel has none to give the memory consists of normal ones;
  // huge_bytes() tells.
  bool huge_pages = false;
  // Where it should lie, one of NumaNodes(); by default on the node of the thread that maps it.
  std::optional<int> numa_node = std::nullopt;
};

// Threads: the memory is the user's to share; the object is not shared while it is moved.
// Bounds: the size asked for, rounded up to whole pages; with huge pages to whole ones of those.
//   Every page is present when Map() returns, so that no later write stops for the kernel.
// Ownership: unmapped by the destructor.
// Errors: Map() alone fails. A page on each side that nobody may touch turns a write beyond the
//   ends into a SIGSEGV.
// Cost: Map() writes every page: about 0.4 ms a MiB in normal pages, 0.1 in huge ones; 4 us for one.
class PageMemory {
 public:
  static constexpr size_t kHugePageBytes = size_t{2} << 20;

  // Memory that reads as zeros. kInvalidArgument: no bytes, or no such NUMA node;
  // kResourceExhausted: the kernel has no such range to give.
  static absl::StatusOr<PageMemory> Map(size_t size_bytes, PageOptions options = {});

  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  ~PageMemory();

  // Aligned to a page, with huge pages to one of those.
  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  // How much of it lay in huge pages when it had been mapped; the kernel may split and join later.
  size_t huge_bytes() const { return huge_bytes_; }

 private:
  PageMemory() = default;

  // The mapping: guard page, data, guard page. Null after a move out of it.
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  size_t huge_bytes_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_PAGE_MEMORY_H_
