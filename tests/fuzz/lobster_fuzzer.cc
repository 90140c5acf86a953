// Any bytes as a LOBSTER message file, and behind a byte of 0 as its book file, through all stages.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "market/byte_source.h"
#include "market/lobster_reader.h"
#include "market/serial_pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitactor::market;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const size_t split = bytes.find('\0');
  std::unique_ptr<ByteSource> book;
  if (split != std::string::npos) {
    book = std::make_unique<MemorySource>("book", bytes.substr(split + 1));
  }
  const auto tops_from = book ? BookLogic::TopsFrom::kRows : BookLogic::TopsFrom::kOrders;
  auto reader = LobsterReader::Open(std::make_unique<MemorySource>("fuzz", bytes.substr(0, split)),
                                    std::move(book));
  if (!reader.ok()) return 0;
  SerialPipeline pipeline(tops_from);
  if (!pipeline.Run(**reader).ok()) return 0;
  pipeline.Digest();
  return 0;
}
