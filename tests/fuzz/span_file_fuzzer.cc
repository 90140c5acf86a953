// Any bytes as a span file: an error, or a file that encodes to the same bytes and can be exported.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/span_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  if (bytes.size() >= 16) {
    // A fuzzer does not find checksums by itself.
    const uint32_t crc = bitactor::Crc32c(0, bytes.data() + 16, bytes.size() - 16);
    std::memcpy(bytes.data() + 12, &crc, sizeof(crc));
  }
  const auto file = bitactor::DecodeSpans(bytes, "fuzz");
  if (!file.ok()) return 0;
  const auto again = bitactor::EncodeSpans(file->spans, file->names, file->dropped);
  BITACTOR_CHECK(again.ok() && *again == bytes);
  std::ostringstream out;
  BITACTOR_CHECK(bitactor::WriteChromeTrace(file->spans, file->names.Lookup(), out).ok());
  return 0;
}
