#include "bitactor/l3_genactor/digest.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bitactor {
namespace {

struct Plain {
  int32_t a;
  int32_t b;
};

struct Padded {
  int8_t a;
  int32_t b;
};

class WithState {
 public:
  WithState(double price, std::string name) : price_(price), name_(std::move(name)) {}
  auto State() const { return std::tie(price_, name_); }

 private:
  double price_;
  std::string name_;
};

struct WithDigest {
  uint64_t kept = 0;
  uint64_t ignored = 0;
  template <typename D>
  void Digest(D& digest) const {
    digest.Add(kept);
  }
};

TEST(DigestTest, IsStable) {
  EXPECT_EQ(Digest().value(), 0u);
  EXPECT_EQ(DigestOf(uint64_t{0}), 0xE220A8397B1DCDAFull);
  EXPECT_EQ(DigestOf(Plain{1, 2}), 0xC4858308E5949C49ull);
  EXPECT_EQ(DigestOf(std::string("BitActor")), 0x45CFEB275DF018C8ull);
  EXPECT_EQ(DigestOf(WithState(1.5, "x")), 0x783697D4521590D0ull);
}

TEST(DigestTest, DependsOnTheOrder) {
  Digest ab;
  ab.Add(1);
  ab.Add(2);
  Digest ba;
  ba.Add(2);
  ba.Add(1);
  EXPECT_NE(ab.value(), ba.value());
}

TEST(DigestTest, CountsZeros) {
  Digest one;
  one.Add(0);
  Digest two = one;
  two.Add(0);
  EXPECT_NE(one.value(), two.value());
  EXPECT_NE(one.value(), Digest().value());
}

TEST(DigestTest, SeesEveryByteOfAPlainType) {
  const Plain base{1, 2};
  for (size_t bit = 0; bit < 8 * sizeof(Plain); ++bit) {
    auto bytes = std::bit_cast<std::array<uint8_t, sizeof(Plain)>>(base);
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_NE(DigestOf(std::bit_cast<Plain>(bytes)), DigestOf(base)) << "bit " << bit;
  }
}

TEST(DigestTest, SeesTheLastBytesOfAString) {
  EXPECT_NE(DigestOf(std::string("abcdefgh1")), DigestOf(std::string("abcdefgh2")));
}

TEST(DigestTest, SeesWhereAStringEnds) {
  EXPECT_NE(DigestOf(std::string("a")), DigestOf(std::string("a\0", 2)));
  const auto split = [](const char* a, const char* b) {
    return DigestOf(std::pair(std::string(a), std::string(b)));
  };
  EXPECT_NE(split("ab", "c"), split("a", "bc"));
}

TEST(DigestTest, TakesDoublesBitForBit) {
  EXPECT_NE(DigestOf(0.0), DigestOf(-0.0));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(DigestOf(nan), DigestOf(nan));
  EXPECT_NE(DigestOf(1.0f), DigestOf(2.0f));
}

TEST(DigestTest, FoldsStateInPlaceOfTheObject) {
  EXPECT_EQ(DigestOf(WithState(1.5, "x")), DigestOf(WithState(1.5, "x")));
  EXPECT_EQ(DigestOf(WithState(1.5, "x")), DigestOf(std::tuple(1.5, std::string("x"))));
  EXPECT_NE(DigestOf(WithState(1.5, "x")), DigestOf(WithState(1.5, "y")));
}

TEST(DigestTest, PrefersTheTypesOwnDigest) {
  EXPECT_EQ(DigestOf(WithDigest{1, 2}), DigestOf(WithDigest{1, 3}));
  EXPECT_NE(DigestOf(WithDigest{1, 2}), DigestOf(WithDigest{2, 2}));
}

TEST(DigestTest, UsesTheOwnDigestOfElementsToo) {
  const std::vector<WithDigest> a{{1, 2}};
  const std::vector<WithDigest> b{{1, 3}};
  EXPECT_EQ(DigestOf(a), DigestOf(b));
}

TEST(DigestTest, FoldsSequencesElementByElement) {
  EXPECT_NE(DigestOf(std::vector<int>{1, 2}), DigestOf(std::vector<int>{2, 1}));
  EXPECT_NE(DigestOf(std::deque<int>{1}), DigestOf(std::deque<int>{1, 0}));
  EXPECT_NE(DigestOf(std::array<double, 2>{1, 2}), DigestOf(std::array<double, 2>{1, 3}));
  EXPECT_NE(DigestOf(std::vector<bool>{true, false}), DigestOf(std::vector<bool>{false, true}));
  EXPECT_NE(DigestOf(std::vector<std::string>{"a", ""}),
            DigestOf(std::vector<std::string>{"", "a"}));
}

TEST(DigestTest, FoldsOrderedContainersByContent) {
  std::map<int, std::string> a{{1, "x"}, {2, "y"}};
  std::map<int, std::string> b;
  b.emplace(2, "y");
  b.emplace(1, "x");
  EXPECT_EQ(DigestOf(a), DigestOf(b));
  b.at(2).push_back('z');
  EXPECT_NE(DigestOf(a), DigestOf(b));
  EXPECT_NE(DigestOf(std::set<int>{1, 2}), DigestOf(std::set<int>{1, 3}));
}

TEST(DigestTest, TellsAnEmptyOptionalFromAZero) {
  EXPECT_NE(DigestOf(std::optional<int>()), DigestOf(std::optional<int>(0)));
}

TEST(DigestTest, RefusesWhatDiffersFromRunToRun) {
  EXPECT_TRUE((internal::UnorderedContainer<std::unordered_map<int, int>>));
  EXPECT_FALSE(internal::kDigestsByBytes<Padded>);
  EXPECT_FALSE(internal::kDigestsByBytes<int*>);
  EXPECT_FALSE(internal::kDigestsByBytes<double>);
}

}  // namespace
}  // namespace bitactor
