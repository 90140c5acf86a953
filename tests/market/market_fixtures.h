// Small feeds made in place, and the recorded ones where they are installed.
#ifndef BITACTOR_TESTS_MARKET_MARKET_FIXTURES_H_
#define BITACTOR_TESTS_MARKET_MARKET_FIXTURES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "market/byte_source.h"
#include "market/feed_event.h"
#include "market/feed_reader.h"
#include "market/itch50_reader.h"
#include "market/itch50_writer.h"
#include "market/lobster_reader.h"
#include "market/stage_messages.h"

namespace bitactor::market {

// The bytes of what `write` writes with an Itch50Writer.
template <typename Write>
std::string ItchBytes(Write write) {
  std::array<std::byte, 4096> room;
  Itch50Writer out(room);
  write(out);
  return {reinterpret_cast<const char*>(room.data()), out.size_bytes()};
}

// A buy order of 100 shares at 10 $, in symbol 7 at 09:30.
inline constexpr Itch50Writer::Common kCommon{.locate = 7, .time_ns = 34'200'000'000'000};
inline std::string ItchAdd(uint64_t ref) {
  return ItchBytes(
      [&](Itch50Writer& out) { out.AddOrder(kCommon, ref, Side::kBuy, 100, "TEST", 100'000, ""); });
}

struct Outcome {
  std::vector<FeedItem> items;
  absl::Status status;
  FeedCounts counts;
  std::string symbol;  // of the last item
};

// To the end or the fault.
inline Outcome ReadAll(absl::StatusOr<std::unique_ptr<FeedReader>> reader) {
  Outcome outcome;
  if (!reader.ok()) {
    outcome.status = reader.status();
    return outcome;
  }
  FeedItem item;
  for (;;) {
    const absl::StatusOr<bool> more = (*reader)->Next(&item);
    if (!more.ok()) outcome.status = more.status();
    if (!more.ok() || !*more) break;
    outcome.items.push_back(item);
  }
  outcome.counts = (*reader)->counts();
  if (!outcome.items.empty())
    outcome.symbol = (*reader)->SymbolOf(outcome.items.back().event.locate);
  return outcome;
}

inline Outcome ReadItch(std::string bytes, size_t bytes_per_read = SIZE_MAX) {
  return ReadAll(Itch50Reader::Open(
      std::make_unique<MemorySource>("feed.itch", std::move(bytes), bytes_per_read)));
}

inline Outcome ReadLobster(std::string bytes, size_t bytes_per_read = SIZE_MAX) {
  return ReadAll(LobsterReader::Open(
      std::make_unique<MemorySource>("feed.csv", std::move(bytes), bytes_per_read), nullptr));
}

inline Outcome ReadLobsterWithBook(std::string bytes, std::string book) {
  return ReadAll(LobsterReader::Open(std::make_unique<MemorySource>("feed.csv", std::move(bytes)),
                                     std::make_unique<MemorySource>("book.csv", std::move(book))));
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string SharedData(const std::string& name) {
  return std::string(BITACTOR_SHARED_DATA) + "/" + name;
}
inline bool HasSharedData() { return std::filesystem::exists(SharedData("README.md")); }

// A top of 100 shares bid at 9.99 $ and 100 offered at 10.01 $.
inline Top MakeTop(uint64_t sequence = 1, uint64_t time_ns = 34'200'000'000'000) {
  return {.sequence = sequence,
          .time_ns = time_ns,
          .bid_price = 99'900,
          .ask_price = 100'100,
          .bid_size = 100,
          .ask_size = 100,
          .locate = 7,
          .executed_shares = 0};
}

}  // namespace bitactor::market

// The exchanges own the recordings, so they are not part of the repository.
#define BITACTOR_NEEDS_SHARED_DATA()                                             \
  if (!::bitactor::market::HasSharedData())                                      \
  GTEST_SKIP() << "the recorded feeds are not installed: there is no directory " \
               << BITACTOR_SHARED_DATA

#endif  // BITACTOR_TESTS_MARKET_MARKET_FIXTURES_H_
