#include "bitactor/l1_core/crc32c.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes FromHex(const std::string& hex) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

uint32_t Inline(const Bytes& bytes) { return Crc32c(0, bytes.data(), bytes.size()); }
uint32_t Portable(const Bytes& bytes) { return Crc32cPortable(0, bytes.data(), bytes.size()); }

struct Known {
  Bytes bytes;
  uint32_t crc;
};

// RFC 3720, appendix B.4, and the check value of the polynomial's catalogue entry.
std::vector<Known> Rfc3720() {
  Bytes ascending, descending;
  for (uint8_t i = 0; i < 32; ++i) {
    ascending.push_back(i);
    descending.push_back(static_cast<uint8_t>(31 - i));
  }
  return {{Bytes(32, 0x00), 0x8A9136AA},
          {Bytes(32, 0xFF), 0x62A8AB43},
          {ascending, 0x46DD794E},
          {descending, 0x113FDB5C},
          {FromHex("01c0000000000000000000000000000014000000000004000000001400000018"
                   "28000000000000000200000000000000"),
           0xD9963A56},
          {Bytes{'1', '2', '3', '4', '5', '6', '7', '8', '9'}, 0xE3069283}};
}

Bytes RandomBytes(std::mt19937_64& random, size_t size) {
  Bytes bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST(Crc32cTest, LongGivesTheSameFromAnyBeginningOnAndAtAnyLength) {
  std::mt19937_64 random(test::Seed());
  const Bytes bytes = RandomBytes(random, 20'000);
  for (size_t size = 0; size < 10'000; size += 1 + random() % 61) {
    const size_t from = random() % 64;
    const auto before = static_cast<uint32_t>(random());
    ASSERT_EQ(Crc32cLong(before, bytes.data() + from, size),
              Crc32cPortable(before, bytes.data() + from, size))
        << size << " bytes from " << from;
  }
}

TEST(Crc32cTest, PortableGivesTheValuesOfRfc3720) {
  for (const Known& known : Rfc3720()) EXPECT_EQ(Portable(known.bytes), known.crc);
}

TEST(Crc32cTest, InlineGivesTheValuesOfRfc3720) {
  for (const Known& known : Rfc3720()) EXPECT_EQ(Inline(known.bytes), known.crc);
}

TEST(Crc32cTest, BothGiveTheValuesOfTheSharedVectors) {
  std::ifstream file(BITACTOR_SHARED_DATA "/crc_vectors.json");
  if (!file) GTEST_SKIP() << "no " BITACTOR_SHARED_DATA "/crc_vectors.json here";
  const nlohmann::json vectors = nlohmann::json::parse(file).at("crc32c");
  ASSERT_FALSE(vectors.empty());
  for (const nlohmann::json& vector : vectors) {
    const Bytes bytes = FromHex(vector.at("hex").get<std::string>());
    const auto crc =
        static_cast<uint32_t>(std::stoul(vector.at("crc").get<std::string>(), nullptr, 16));
    EXPECT_EQ(Inline(bytes), crc) << vector.at("desc");
    EXPECT_EQ(Portable(bytes), crc) << vector.at("desc");
  }
}

TEST(Crc32cTest, UsesTheInstructionWhereTheBaselineHasOne) {
#if defined(__x86_64__) || defined(__aarch64__)
  EXPECT_TRUE(internal::kHasCrc32cInstruction);
#endif
}

TEST(Crc32cTest, BothAgreeAtEveryLengthAndAlignment) {
  std::mt19937_64 random(test::Seed());
  for (size_t size = 0; size <= 300; ++size) {
    const Bytes bytes = RandomBytes(random, size + 8);
    for (size_t offset = 0; offset < 8; ++offset) {
      EXPECT_EQ(Crc32c(0, bytes.data() + offset, size),
                Crc32cPortable(0, bytes.data() + offset, size))
          << "size " << size << " offset " << offset;
    }
  }
}

TEST(Crc32cTest, ChecksumOfPartsContinues) {
  std::mt19937_64 random(test::Seed());
  const Bytes bytes = RandomBytes(random, 192);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const uint32_t front = Crc32c(0, bytes.data(), cut);
    EXPECT_EQ(Crc32c(front, bytes.data() + cut, bytes.size() - cut), Inline(bytes));
    EXPECT_EQ(Crc32cPortable(front, bytes.data() + cut, bytes.size() - cut), Inline(bytes));
  }
}

TEST(Crc32cTest, EverySingleBitChangesIt) {
  std::mt19937_64 random(test::Seed());
  Bytes bytes = RandomBytes(random, 188);
  const uint32_t before = Inline(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_NE(Inline(bytes), before) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
}

TEST(Crc32cTest, NothingHasChecksumZero) { EXPECT_EQ(Crc32c(0, nullptr, 0), 0u); }

}  // namespace
}  // namespace bitactor
