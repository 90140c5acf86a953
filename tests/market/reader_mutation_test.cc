// Damaged feeds: readers end with a fault or at the end, and the books survive whatever they gave.
#include <memory>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "market/itch50_generator.h"
#include "market/market_fixtures.h"
#include "market/serial_pipeline.h"
#include "support/seed.h"

namespace bitactor::market {
namespace {

constexpr int kMutations = 20'000;

// Changes, inserts, removes or copies some bytes, or cuts the end off.
void Mutate(std::mt19937_64& random, std::string& bytes) {
  const size_t changes = 1 + random() % 4;
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = random() % bytes.size();
    switch (random() % 6) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.insert(at, 1 + random() % 8, static_cast<char>(random()));
        break;
      case 3:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 4:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 64));
        break;
      default:
        if (random() % 8 == 0) bytes.resize(at);
        break;
    }
  }
}

// What must hold of any outcome. Runs the stages on all that was delivered, and counts the faults.
void Check(absl::StatusOr<std::unique_ptr<FeedReader>> reader, bool with_rows, size_t bytes,
           int* faults) {
  if (!reader.ok()) {
    ASSERT_EQ(bytes, 0u) << reader.status();
    return;
  }
  SerialPipeline pipeline(with_rows ? BookLogic::TopsFrom::kRows : BookLogic::TopsFrom::kOrders);
  const absl::Status status = pipeline.Run(**reader);
  const FeedCounts& counts = (*reader)->counts();
  if (status.ok()) {
    ASSERT_EQ(counts.bytes, bytes);
  } else {
    ++*faults;
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss);
    ASSERT_FALSE(status.message().empty());
  }
  uint64_t applied = 0;
  for (const auto& [locate, stages] : pipeline.symbols()) {
    for (const uint64_t count : stages.book.book().counts().by_kind) applied += count;
    ASSERT_EQ(stages.risk.state().position, stages.position.state().position);
  }
  ASSERT_LE(applied, counts.messages);
}

TEST(ReaderMutationTest, ItchReaderSurvivesDamage) {
  std::mt19937_64 random(test::Seed());
  auto generator = Itch50Generator::Create({.seed = 5, .messages = 60, .symbols = 2});
  std::string original(4096, '\0');
  original.resize((*generator)->Read(std::as_writable_bytes(std::span(original))).value());
  int faults = 0;
  for (int i = 0; i < test::Rounds(kMutations); ++i) {
    std::string bytes = original;
    Mutate(random, bytes);
    const size_t size = bytes.size();
    ASSERT_NO_FATAL_FAILURE(
        Check(Itch50Reader::Open(std::make_unique<MemorySource>("damaged", std::move(bytes))),
              false, size, &faults))
        << "mutation " << i;
  }
  EXPECT_GT(faults, kMutations / 4);
}

TEST(ReaderMutationTest, LobsterReaderSurvivesDamage) {
  std::mt19937_64 random(test::Seed());
  std::string messages;
  std::string book;
  for (int i = 0; i < 30; ++i) {
    messages += "34200.0151" + std::to_string(i) + "," + std::to_string(1 + i % 7) + "," +
                std::to_string(100 + i / 3) + ",5," + (i % 7 == 6 ? "-1" : "5794000") +
                (i % 2 == 0 ? ",1\n" : ",-1\r\n");
    book += "5802300,100,5794000," + std::to_string(i) + "\n";
  }
  int faults = 0;
  for (int i = 0; i < test::Rounds(kMutations); ++i) {
    std::string damaged = messages;
    Mutate(random, damaged);
    std::string damaged_book = book;
    const bool with_rows = i % 2 == 0;
    if (with_rows) Mutate(random, damaged_book);
    const size_t size = damaged.size();
    if (damaged_book.empty()) continue;
    ASSERT_NO_FATAL_FAILURE(Check(
        LobsterReader::Open(
            std::make_unique<MemorySource>("damaged", std::move(damaged)),
            with_rows ? std::make_unique<MemorySource>("book", std::move(damaged_book)) : nullptr),
        with_rows, size, &faults))
        << "mutation " << i;
  }
  EXPECT_GT(faults, kMutations / 4);
}

}  // namespace
}  // namespace bitactor::market
