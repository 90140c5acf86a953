#include "bitactor/l1_core/type_name.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

struct GlobalMessage {};

namespace market {
struct Quote {
  struct Level {};
};
enum class Side : uint8_t { kBid, kAsk };
union Either {
  int a;
  float b;
};
template <typename T>
struct Box {
  struct Inner {};
};
struct Renamed {
  static constexpr std::string_view kTypeName = "market.Quote";
};
struct RenamedLater {
  static constexpr std::string_view kTypeName = "market.Quote";
  static constexpr uint32_t kTypeVersion = 2;
};
template <typename T>
struct NamedBox {
  static constexpr std::string_view kTypeName = "market.NamedBox";
};
[[maybe_unused]] struct { int x; } unnamed;
}  // namespace market

namespace bitactor {
namespace {

struct Hidden {};

TEST(TypeNameTest, IsTheQualifiedName) {
  EXPECT_EQ(TypeName<GlobalMessage>(), "GlobalMessage");
  EXPECT_EQ(TypeName<market::Quote>(), "market::Quote");
  EXPECT_EQ(TypeName<market::Quote::Level>(), "market::Quote::Level");
  EXPECT_EQ(TypeName<market::Side>(), "market::Side");
  EXPECT_EQ(TypeName<market::Either>(), "market::Either");
}

TEST(TypeNameTest, SpellsUnnamedNamespacesAlikeForAllCompilers) {
  EXPECT_EQ(TypeName<Hidden>(), "bitactor::(anonymous namespace)::Hidden");
}

TEST(TypeNameTest, PrefersTheDeclaredName) {
  EXPECT_EQ(TypeName<market::Renamed>(), "market.Quote");
  EXPECT_EQ(TypeName<market::NamedBox<int>>(), "market.NamedBox");
}

TEST(TypeNameTest, NamesArithmeticTypesByKindAndWidth) {
  EXPECT_EQ(TypeName<void>(), "void");
  EXPECT_EQ(TypeName<bool>(), "bool");
  EXPECT_EQ(TypeName<long>(), "int64");
  EXPECT_EQ(TypeName<long long>(), "int64");
  EXPECT_EQ(TypeName<uint16_t>(), "uint16");
  EXPECT_EQ(TypeName<float>(), "float32");
  EXPECT_EQ(TypeName<double>(), "float64");
}

TEST(TypeNameTest, HasNoPortableNameForTemplates) {
  EXPECT_FALSE(internal::kCanonicalName<market::Box<int>>.portable);
  EXPECT_FALSE(internal::kCanonicalName<market::Box<int>::Inner>.portable);
}

TEST(TypeNameTest, HasNoPortableNameForUnnamedTypes) {
  EXPECT_FALSE(internal::kCanonicalName<decltype(market::unnamed)>.portable);
  [[maybe_unused]] const auto lambda = [] {};
  EXPECT_FALSE(internal::kCanonicalName<decltype(lambda)>.portable);
}

#if defined(__GNUC__) && !defined(__clang__)
TEST(TypeNameTest, HasNoPortableNameForTypesInFunctions) {
  struct Local {};
  EXPECT_FALSE(internal::kCanonicalName<Local>.portable);
}
#endif

// Journals hold these numbers: they must never change.
TEST(TypeIdTest, IsStable) {
  EXPECT_EQ(TypeId<GlobalMessage>(), 0x988A3B04u);
  EXPECT_EQ(TypeId<market::Quote>(), 0x2F27C991u);
  EXPECT_EQ(TypeId<int64_t>(), 0xAC169922u);
}

TEST(TypeIdTest, DependsOnTheVersion) {
  EXPECT_NE(TypeId<market::Renamed>(), TypeId<market::RenamedLater>());
}

TEST(TypeIdTest, DependsOnTheNameAlone) {
  EXPECT_EQ(TypeId<market::Renamed>(), internal::HashTypeName("market.Quote", 1));
}

TEST(TypeIdTest, IsAConstant) {
  static_assert(TypeId<market::Quote>() != 0);
  static_assert(TypeVersion<market::Quote>() == 1 && TypeVersion<market::RenamedLater>() == 2);
}

}  // namespace
}  // namespace bitactor
