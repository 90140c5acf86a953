#include "bitactor/tracing/span_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bitactor/l1_core/crc32c.h"
#include "support/seed.h"
#include "support/simulated_files.h"
#include "support/temp_dir.h"
#include "tracing/span_generator.h"

namespace bitactor {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

const SpanNameTable kNames{.actors = {{7, "alice"}, {9, ""}, {0x80000001, "port 1"}},
                           .types = {{0xBEEF, "bank::Deposit/1"}}};
// With two traces that came from outside.
SpanNameTable NamesAndTraces() {
  SpanNameTable names = kNames;
  TraceContext context;
  context.trace_id = {0x0af7651916cd43dd, 0x8448eb211c80319c};
  context.parent_id = 0xb7ad6b7169203331;
  context.sampled = true;
  context.tracestate = {{"rojo", "1"}, {"congo", "t61 x"}};
  names.traces[17] = context;
  names.traces[18].trace_id = {0, 18};
  return names;
}

Bytes EncodedSample(size_t spans = 20) {
  std::mt19937_64 random(test::Seed());
  absl::StatusOr<Bytes> bytes = EncodeSpans(test::RandomSpans(random, spans), kNames, 5);
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

template <typename T>
void Put(Bytes& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

// After a deliberate change, so that what lies behind the checksum is reached.
void Reseal(Bytes& bytes) { Put(bytes, 12, Crc32c(0, bytes.data() + 16, bytes.size() - 16)); }

TEST(SpanFileTest, GivesBackWhatWasSaved) {
  std::mt19937_64 random(test::Seed());
  const std::vector<SpanRecord> spans = test::RandomSpans(random, 100);
  const test::TempDir dir;
  ASSERT_TRUE(SaveSpans(dir.File("a.spans"), spans, kNames, 12).ok());
  const absl::StatusOr<SpanFile> file = LoadSpans(dir.File("a.spans"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->spans.size(), spans.size());
  EXPECT_EQ(std::memcmp(file->spans.data(), spans.data(), spans.size() * sizeof(SpanRecord)), 0);
  EXPECT_EQ(file->names, kNames);
  EXPECT_EQ(file->dropped, 12u);
}

TEST(SpanFileTest, TracesThatCameFromOutsideKeepTheirContexts) {
  const absl::StatusOr<Bytes> bytes = EncodeSpans({}, NamesAndTraces(), 0);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ((*bytes)[8], std::byte{2});
  const absl::StatusOr<SpanFile> file = DecodeSpans(*bytes, "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->names, NamesAndTraces());
  EXPECT_EQ(file->names.TraceIdOf(17).ToHex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(file->names.TraceIdOf(5), (TraceId{0, 5}));
  // Without them, programs that know version 1 alone can read it.
  EXPECT_EQ(EncodedSample(1)[8], std::byte{1});
}

TEST(SpanFileTest, MayBeEmpty) {
  const absl::StatusOr<Bytes> bytes = EncodeSpans({}, {}, 0);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), 64u);
  const absl::StatusOr<SpanFile> file = DecodeSpans(*bytes, "empty");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->spans.empty());
}

TEST(SpanFileTest, NamesAreLookedUpInTheTable) {
  const SpanNames names = kNames.Lookup();
  EXPECT_EQ(names.actor(7), "alice");
  EXPECT_EQ(names.actor(8), "");
  EXPECT_EQ(names.type(0xBEEF), "bank::Deposit/1");
}

TEST(SpanFileTest, AMissingFileIsNotFound) {
  const test::TempDir dir;
  const absl::Status status = LoadSpans(dir.File("none")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir.File("none")));
}

TEST(SpanFileTest, ADirectoryIsRefused) {
  const test::TempDir dir;
  EXPECT_FALSE(LoadSpans(dir.path()).ok());
}

TEST(SpanFileTest, AnUnwritablePlaceIsReported) {
  test::SimulatedFiles files;
  ASSERT_TRUE(files.CreateDir("dir").ok());
  files.DenyWrites("dir");
  EXPECT_FALSE(SaveSpans("dir/a.spans", {}, {}, 0, files).ok());
}

TEST(SpanFileTest, AnotherKindOfFileIsRefused) {
  const char* text = "feed_messages,1\n";
  const absl::Status status =
      DecodeSpans(std::as_bytes(std::span(text, std::strlen(text))), "feed.csv").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("feed.csv: is no span file"));
}

TEST(SpanFileTest, AnEmptyFileIsRefused) {
  EXPECT_EQ(DecodeSpans({}, "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SpanFileTest, AnotherVersionIsRefusedByItsNumber) {
  Bytes bytes = EncodedSample();
  Put(bytes, 8, uint32_t{3});
  const absl::Status status = DecodeSpans(bytes, "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("version 3; this program reads versions 1 to 2"));
}

TEST(SpanFileTest, EveryTruncationIsSeen) {
  const Bytes bytes = EncodedSample(3);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSpans(std::span(bytes).first(size), "x").ok()) << size << " bytes";
  }
}

TEST(SpanFileTest, EveryFlippedBitIsSeen) {
  Bytes bytes = EncodedSample(3);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_FALSE(DecodeSpans(bytes, "x").ok()) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

TEST(SpanFileTest, MoreSpansThanBytesAreRefusedBeforeMemoryIsTaken) {
  Bytes bytes = EncodedSample(3);
  Put(bytes, 16, ~uint64_t{0} / 64);
  Reseal(bytes);
  const absl::Status status = DecodeSpans(bytes, "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("x: at byte 64"));
}

TEST(SpanFileTest, AnUnknownOutcomeIsRefused) {
  Bytes bytes = EncodedSample(1);
  bytes[64 + offsetof(SpanRecord, outcome)] = std::byte{4};
  Reseal(bytes);
  EXPECT_THAT(std::string(DecodeSpans(bytes, "x").status().message()), HasSubstr("outcome 4"));
}

TEST(SpanFileTest, AnOverlongNameIsRefused) {
  Bytes bytes = EncodedSample(1);
  Put(bytes, 64 + 64 + 4, uint32_t{0xFFFFFFFF});
  Reseal(bytes);
  EXPECT_THAT(std::string(DecodeSpans(bytes, "x").status().message()),
              HasSubstr("a name of 4294967295 bytes"));
}

TEST(SpanFileTest, NamesOutOfOrderAreRefused) {
  Bytes bytes = EncodedSample(1);
  Put(bytes, 64 + 64, uint32_t{10});  // the first actor, before actor 9
  Reseal(bytes);
  EXPECT_THAT(std::string(DecodeSpans(bytes, "x").status().message()),
              HasSubstr("id 9 after id 10"));
}

TEST(SpanFileTest, BytesAfterTheLastNameAreRefused) {
  Bytes bytes = EncodedSample(1);
  bytes.push_back(std::byte{0});
  Reseal(bytes);
  EXPECT_THAT(std::string(DecodeSpans(bytes, "x").status().message()),
              HasSubstr("1 bytes after the last name or trace"));
}

TEST(SpanFileTest, ANameOverTheLimitIsNotSaved) {
  const SpanNameTable names{.actors = {{3, std::string((1u << 20) + 1, 'x')}}, .types = {}};
  const absl::Status status = EncodeSpans({}, names, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("actor 3"));
}

// With a good checksum over bad content: an error or the very same file, never a crash.
TEST(SpanFileTest, ResealedMutationsAreRefusedOrMeanExactlyTheirBytes) {
  std::mt19937_64 random(test::Seed());
  const Bytes samples[] = {EncodedSample(4), *EncodeSpans({}, NamesAndTraces(), 0)};
  for (int round = 0; round < test::Rounds(20'000); ++round) {
    Bytes bytes = samples[round % 2];
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = 16 + random() % (bytes.size() - 16);
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<std::byte>(random());
          break;
        case 1:
          bytes.resize(at);
          break;
        default:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), 1 + random() % 70,
                       static_cast<std::byte>(random()));
      }
      if (bytes.size() <= 16) break;
    }
    if (bytes.size() < 16) continue;
    Reseal(bytes);
    const absl::StatusOr<SpanFile> file = DecodeSpans(bytes, "x");
    if (!file.ok()) continue;
    const absl::StatusOr<Bytes> again = EncodeSpans(file->spans, file->names, file->dropped);
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(*again, bytes);
  }
}

}  // namespace
}  // namespace bitactor
