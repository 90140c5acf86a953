// Any bytes as an ITCH 5.0 feed, through all stages.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "market/byte_source.h"
#include "market/itch50_reader.h"
#include "market/serial_pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitactor::market;
  auto reader = Itch50Reader::Open(std::make_unique<MemorySource>(
      "fuzz", std::string(reinterpret_cast<const char*>(data), size)));
  if (!reader.ok()) return 0;
  SerialPipeline pipeline;
  if (!pipeline.Run(**reader).ok()) return 0;
  pipeline.Digest();
  return 0;
}
