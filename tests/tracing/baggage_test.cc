#include "bitactor/tracing/baggage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParsedBaggage Parse(const std::vector<std::string>& values) {
  std::vector<HeaderField> headers;
  for (const std::string& value : values) headers.push_back({"baggage", value});
  return ParseBaggage(headers);
}
std::vector<BaggageMember> Many(size_t count, size_t value_bytes) {
  std::vector<BaggageMember> members;
  for (size_t i = 0; i < count; ++i) {
    members.push_back({"k" + std::to_string(100 + i), std::string(value_bytes, 'v'), ""});
  }
  return members;
}

TEST(BaggageTest, TheSpecificationsExample) {
  const ParsedBaggage parsed = Parse(
      {"key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"});
  EXPECT_EQ(parsed.dropped_members, 0u);
  EXPECT_THAT(parsed.members,
              ElementsAre(BaggageMember{"key1", "value1", "property1;property2"},
                          BaggageMember{"key2", "value2", ""},
                          BaggageMember{"key3", "value3", "propertyKey=propertyValue"}));
  EXPECT_EQ(EmitBaggage(parsed.members).baggage,
            "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue");
}

TEST(BaggageTest, SpaceIsNoPartOfAnything) {
  EXPECT_THAT(Parse({"Key \t = \t Value \t ; \t Prop \t = \t P \t , \t K2 \t = \t V2 \t "}).members,
              ElementsAre(BaggageMember{"Key", "Value", "Prop=P"}, BaggageMember{"K2", "V2", ""}));
}

TEST(BaggageTest, FieldsAreJoinedInOrderInAnyCaseAndKeysMayRepeat) {
  const std::vector<HeaderField> headers = {
      {"Baggage", "a=1"}, {"bag", "b=2"}, {"BAGGAGE", ",a=3,"}, {"baggage", ""}};
  EXPECT_THAT(ParseBaggage(headers).members,
              ElementsAre(BaggageMember{"a", "1", ""}, BaggageMember{"a", "3", ""}));
}

TEST(BaggageTest, AValueMayBeEmptyAndHoldEqualsSigns) {
  EXPECT_THAT(Parse({"a=,b=x=y=,c=1;p=;q"}).members,
              ElementsAre(BaggageMember{"a", "", ""}, BaggageMember{"b", "x=y=", ""},
                          BaggageMember{"c", "1", "p=;q"}));
}

TEST(BaggageTest, AMemberAgainstTheRulesIsDroppedAloneAndCounted) {
  for (const std::string& bad :
       {std::string("novalue"), std::string("=1"), std::string("a b=1"), std::string("a@=1"),
        std::string("a=x y"), std::string("a=\"x\""), std::string("a=x\\y"), std::string("a=\xC3"),
        std::string("a=x;"), std::string("a=x;;p"), std::string("a=x;p q"), std::string("a=x;=1"),
        std::string("a=x;p=\"\""), std::string("\0=1", 3), std::string("a=\x7F")}) {
    const ParsedBaggage parsed = Parse({"first=1," + bad + ",last=2"});
    EXPECT_EQ(parsed.dropped_members, 1u) << bad;
    EXPECT_THAT(parsed.reason, HasSubstr("baggage: member 2: ")) << bad;
    EXPECT_THAT(parsed.members,
                ElementsAre(BaggageMember{"first", "1", ""}, BaggageMember{"last", "2", ""}));
  }
}

TEST(BaggageTest, SixtyFourMembersAreCarried) {
  EXPECT_EQ(EmitBaggage(Many(64, 10)).cut_members, 0u);
  const EmittedBaggage out = EmitBaggage(Many(66, 10));
  EXPECT_EQ(out.cut_members, 2u);
  EXPECT_EQ(Parse({out.baggage}).members, Many(64, 10));
}

TEST(BaggageTest, EightKibibytesAreCarried) {
  // 64 times "k100=" and the value, and 63 commas: 8191.
  std::vector<BaggageMember> members = Many(64, 122);
  members[5].value += 'v';
  EXPECT_EQ(EmitBaggage(members).baggage.size(), 8192u);
  EXPECT_EQ(EmitBaggage(members).cut_members, 0u);
  members[5].value += 'v';
  EXPECT_EQ(EmitBaggage(members).cut_members, 1u);
}

TEST(BaggageTest, NothingIsAnEmptyText) { EXPECT_EQ(EmitBaggage({}).baggage, ""); }

TEST(BaggageTest, ValuesAreEncodedAndDecoded) {
  EXPECT_EQ(EncodeBaggageValue("DF 28"), "DF%2028");
  EXPECT_EQ(DecodeBaggageValue("DF%2028"), "DF 28");
  EXPECT_EQ(DecodeBaggageValue("%e2%82%AC"), "\xE2\x82\xAC");
  EXPECT_EQ(DecodeBaggageValue("100%"), "100%");
  EXPECT_EQ(DecodeBaggageValue("%4"), "%4");
  EXPECT_EQ(DecodeBaggageValue("%zz%41"), "%zzA");
  EXPECT_EQ(DecodeBaggageValue("%C3(%ff"), "\xEF\xBF\xBD(\xEF\xBF\xBD");
}

TEST(BaggageTest, EveryTextGoesThroughAValue) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(2'000); ++round) {
    std::string text;
    for (uint64_t i = random() % 20; i > 0; --i) {
      if (random() % 8 == 0) text += "\xF0\x9F\x98\x80";
      text += static_cast<char>(random() % 0x80);
    }
    const std::string value = EncodeBaggageValue(text);
    const ParsedBaggage parsed = Parse({"k=" + value});
    ASSERT_EQ(parsed.members.size(), 1u) << value;
    ASSERT_EQ(DecodeBaggageValue(parsed.members[0].value), text);
  }
}

TEST(BaggageDeathTest, WhatBreaksTheRulesIsNotSent) {
  const std::vector<BaggageMember> bad = {{"a", "x,y", ""}};
  EXPECT_DEATH(EmitBaggage(bad), "KeepsToTheRules");
}

}  // namespace
}  // namespace bitactor
