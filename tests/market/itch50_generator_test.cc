#include "market/itch50_generator.h"

#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "market/itch50_reader.h"
#include "market/market_fixtures.h"
#include "market/serial_pipeline.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::market {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Generate(const GeneratorOptions& options, size_t bytes_per_read = size_t{1} << 16) {
  auto generator = Itch50Generator::Create(options);
  EXPECT_TRUE(generator.ok()) << generator.status();
  std::string bytes;
  std::vector<std::byte> buffer(bytes_per_read);
  for (;;) {
    const size_t count = (*generator)->Read(buffer).value();
    if (count == 0) return bytes;
    bytes.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
}

std::unique_ptr<FeedReader> ReaderOf(const GeneratorOptions& options) {
  auto generator = Itch50Generator::Create(options);
  EXPECT_TRUE(generator.ok()) << generator.status();
  auto reader = Itch50Reader::Open(*std::move(generator));
  EXPECT_TRUE(reader.ok()) << reader.status();
  return *std::move(reader);
}

TEST(Itch50GeneratorTest, IsAValidFeedOfConsistentBooks) {
  const GeneratorOptions options{.seed = test::Seed(), .messages = 200'000};
  const std::unique_ptr<FeedReader> reader = ReaderOf(options);
  SerialPipeline pipeline;
  FeedItem item;
  uint64_t last_time_ns = 0;
  for (;;) {
    const absl::StatusOr<bool> more = reader->Next(&item);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    ASSERT_GE(item.event.time_ns, last_time_ns);
    last_time_ns = item.event.time_ns;
    pipeline.On(item);
    const BestPrices best = pipeline.symbols().at(item.event.locate).book.book().Best();
    if (best.bid_size != 0 && best.ask_size != 0) {
      ASSERT_LT(best.bid_price, best.ask_price) << "message " << item.event.sequence;
    }
  }
  EXPECT_EQ(reader->counts().messages, options.messages);
  ASSERT_EQ(pipeline.symbols().size(), options.symbols);
  for (const auto& [locate, stages] : pipeline.symbols()) {
    EXPECT_EQ(stages.book.book().counts().unknown_references.count, 0u);
    EXPECT_EQ(stages.book.book().counts().anomalies.count, 0u);
    EXPECT_EQ(reader->SymbolOf(locate), GeneratedSymbol(locate - 1u));
  }
}

TEST(Itch50GeneratorTest, HasEveryTypeInALikelyShare) {
  const std::unique_ptr<FeedReader> reader = ReaderOf({.messages = 200'000});
  SerialPipeline pipeline;
  ASSERT_TRUE(pipeline.Run(*reader).ok());
  const auto share = [&](char type) {
    return static_cast<double>(reader->counts().by_type[static_cast<uint8_t>(type)]) / 200'000;
  };
  EXPECT_NEAR(share('A'), 0.44, 0.05);
  EXPECT_NEAR(share('D'), 0.39, 0.05);
  EXPECT_NEAR(share('E'), 0.09, 0.02);
  EXPECT_NEAR(share('P'), 0.024, 0.005);
  for (const char type : std::string("SRHYFCXU")) EXPECT_GT(share(type), 0) << type;
}

TEST(Itch50GeneratorTest, LeadsToSomeTrading) {
  const std::unique_ptr<FeedReader> reader = ReaderOf({.messages = 200'000});
  SerialPipeline pipeline;
  ASSERT_TRUE(pipeline.Run(*reader).ok());
  uint64_t tops = 0;
  uint64_t intents = 0;
  uint64_t fills = 0;
  for (const auto& [locate, stages] : pipeline.symbols()) {
    tops += stages.signal.state().tops;
    intents += stages.signal.state().intents;
    fills += stages.position.state().fills;
    EXPECT_EQ(stages.risk.state().position, stages.position.state().position);
  }
  EXPECT_GT(intents, tops / 100);
  EXPECT_LT(intents, tops / 20);
  EXPECT_GT(fills, intents / 2);
}

TEST(Itch50GeneratorTest, IsTheSameForTheSameSeed) {
  const GeneratorOptions options{.seed = 7, .messages = 20'000};
  EXPECT_EQ(Generate(options), Generate(options));
}

TEST(Itch50GeneratorTest, IsAnotherForAnotherSeed) {
  EXPECT_NE(Generate({.seed = 7, .messages = 20'000}), Generate({.seed = 8, .messages = 20'000}));
}

TEST(Itch50GeneratorTest, DoesNotDependOnTheSizeOfReads) {
  const GeneratorOptions options{.seed = 7, .messages = 5'000};
  EXPECT_EQ(Generate(options, ByteSource::kMinReadBytes), Generate(options));
}

TEST(Itch50GeneratorTest, BeginsLikeALongerFeedOfTheSameSeed) {
  const std::string shorter = Generate({.seed = 7, .messages = 5'000});
  const std::string longer = Generate({.seed = 7, .messages = 6'000});
  const size_t evening_bytes = 3 * 14;
  EXPECT_EQ(shorter.substr(0, shorter.size() - evening_bytes),
            longer.substr(0, shorter.size() - evening_bytes));
}

// A change of the generator changes every recorded digest of a demo, so it must be meant.
TEST(Itch50GeneratorTest, IsTheSameOnEveryMachine) {
  StateDigest digest;
  for (const char c : Generate({.seed = 1, .messages = 10'000})) {
    digest.Add(static_cast<uint8_t>(c));
  }
  EXPECT_EQ(digest.value(), 7335727389143011136u);
}

TEST(Itch50GeneratorTest, MakesTheSmallestAndTheWidestFeed) {
  EXPECT_EQ(ReadItch(Generate({.messages = 9, .symbols = 1})).counts.messages, 9u);
  const Outcome wide = ReadItch(Generate({.messages = 50'000, .symbols = 1'000}));
  EXPECT_TRUE(wide.status.ok()) << wide.status;
  std::set<std::string> names;
  for (uint32_t i = 0; i < 1'000; ++i) names.insert(GeneratedSymbol(i));
  EXPECT_EQ(names.size(), 1'000u);
}

TEST(Itch50GeneratorTest, RefusesOptionsOutOfRange) {
  const auto error = [](const GeneratorOptions& options) {
    return std::string(Itch50Generator::Create(options).status().message());
  };
  EXPECT_THAT(error({.symbols = 0}), AllOf(HasSubstr("0 symbols"), HasSubstr("1 to 1000")));
  EXPECT_THAT(error({.symbols = 1'001}), HasSubstr("1001 symbols"));
  EXPECT_THAT(error({.messages = 65}), AllOf(HasSubstr("65 messages"), HasSubstr("66")));
  EXPECT_THAT(error({.messages = 1'000'000'001}), HasSubstr("1000000000"));
}

TEST(Itch50GeneratorTest, WritesAFile) {
  test::TempDir dir;
  const GeneratorOptions options{.seed = 3, .messages = 50'000};
  ASSERT_TRUE(WriteItch50File(PosixFiles(), dir.File("feed"), options).ok());
  std::ifstream file(dir.File("feed"), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  EXPECT_EQ(bytes.str(), Generate(options));
}

TEST(Itch50GeneratorTest, NamesAFileItCannotWrite) {
  const absl::Status status = WriteItch50File(PosixFiles(), "/no/such/place", {});
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/place"));
}

}  // namespace
}  // namespace bitactor::market
