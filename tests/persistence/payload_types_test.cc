#include "bitactor/persistence/payload_types.h"

#include <stdexcept>

#include "persistence/journal_fixture.h"

namespace bitactor::test {

struct QuoteV1 {
  static constexpr std::string_view kTypeName = "market.Quote";
  int32_t price_cents;
};
struct QuoteV2 {
  static constexpr std::string_view kTypeName = "market.Quote";
  static constexpr uint32_t kTypeVersion = 2;
  int64_t price_cents;
  uint32_t size;
  uint32_t reserved;
};
// Renamed since; its version starts anew.
struct Offer {
  static constexpr std::string_view kTypeName = "market.Offer";
  static constexpr auto PayloadFields() {
    return std::tuple(PayloadField("price", &Offer::price), PayloadField("size", &Offer::size));
  }
  double price;
  int64_t size;
};
// Its author forgot to raise the version.
struct QuoteV1Changed {
  static constexpr std::string_view kTypeName = "market.Quote";
  int64_t price_cents;
};
struct Unrelated {
  static constexpr std::string_view kTypeName = "market.Unrelated";
  int32_t value;
};
// Found by search: both names hash to 45b1a181.
struct CollidingA {
  static constexpr std::string_view kTypeName = "collide.100171";
};
struct CollidingB {
  static constexpr std::string_view kTypeName = "collide.123053";
};
static_assert(TypeId<CollidingA>() == TypeId<CollidingB>());

enum class Side : uint8_t { kBid = 1, kAsk = 2 };
struct Level {
  static constexpr auto PayloadFields() {
    return std::tuple(PayloadField("price", &Level::price), PayloadField("side", &Level::side));
  }
  float price;
  Side side;
};
struct Everything {
  static constexpr std::string_view kTypeName = "test.Everything";
  static constexpr auto PayloadFields() {
    return std::tuple(
        PayloadField("level", &Everything::level), PayloadField("flag", &Everything::flag),
        PayloadField("letter", &Everything::letter), PayloadField("symbol", &Everything::symbol),
        PayloadField("full", &Everything::full), PayloadField("bytes", &Everything::bytes),
        PayloadField("most", &Everything::most), PayloadField("least", &Everything::least));
  }
  Level level;
  bool flag;
  char letter;
  char symbol[8];
  std::array<char, 2> full;
  std::array<uint8_t, 3> bytes;
  uint64_t most;
  int8_t least;
};

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

QuoteV2 FromV1(const QuoteV1& old) { return {old.price_cents, 1, 0}; }
absl::StatusOr<Offer> FromV2(const QuoteV2& old) {
  if (old.price_cents < 0) return absl::OutOfRangeError("a price below 0");
  return Offer{static_cast<double>(old.price_cents) / 100, old.size};
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span<const T>(&value, 1));
}

class PayloadTypesTest : public JournalFixture {
 protected:
  void AddQuotes() {
    ASSERT_TRUE(types_.Add<Offer>().ok());
    ASSERT_TRUE((types_.AddUpcaster<QuoteV1, QuoteV2>(FromV1).ok()));
    ASSERT_TRUE((types_.AddUpcaster<QuoteV2, Offer>(FromV2).ok()));
  }
  template <typename To, typename From>
  absl::StatusOr<To> Decode(const From& from) {
    return types_.Decode<To>(TypeId<From>(), BytesOf(from));
  }
  template <typename T>
  void AppendTyped(const T& payload) {
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.type = TypeId<T>();
    frame.header.size_bytes = sizeof(T);
    std::memcpy(frame.payload, &payload, sizeof(T));
    Seal(frame);
    ASSERT_NE(journal_->AppendFrame(frame.header), Position::None());
  }
  PayloadTypes types_;
};

TEST_F(PayloadTypesTest, AnOldJournalReadsAsTheNewestType) {
  AddQuotes();
  MustOpen();
  AppendTyped(QuoteV1{125});
  AppendTyped(QuoteV2{250, 7, 0});
  AppendTyped(Offer{3.75, 9});
  std::vector<std::pair<double, int64_t>> offers;
  History history = journal_->Replay();
  for (const Record& record : history) {
    const absl::StatusOr<Offer> offer =
        types_.Decode<Offer>(record.frame().header.type, record.bytes());
    ASSERT_TRUE(offer.ok()) << offer.status();
    offers.emplace_back(offer->price, offer->size);
  }
  using Pair = std::pair<double, int64_t>;
  EXPECT_THAT(offers, ElementsAre(Pair{1.25, 1}, Pair{2.5, 7}, Pair{3.75, 9}));
}

TEST_F(PayloadTypesTest, AnyTypeOfTheChainCanBeAskedFor) {
  AddQuotes();
  EXPECT_EQ(Decode<QuoteV1>(QuoteV1{125})->price_cents, 125);
  EXPECT_EQ(Decode<QuoteV2>(QuoteV1{125})->price_cents, 125);
}

TEST_F(PayloadTypesTest, AnUnknownIdIsNamedWithWhatToRegister) {
  AddQuotes();
  const absl::Status status = types_.Decode<Offer>(0xABCD, {}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr("0000abcd"),
                                       HasSubstr("AddUpcaster() towards market.Offer version 1")));
}

TEST_F(PayloadTypesTest, AWantedTypeHasToBeRegistered) {
  const absl::Status status = Decode<Offer>(Offer{}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(status.ToString(), HasSubstr("market.Offer version 1, which"));
}

TEST_F(PayloadTypesTest, AMissingUpcasterIsNamed) {
  ASSERT_TRUE((types_.AddUpcaster<QuoteV1, QuoteV2>(FromV1).ok()));
  ASSERT_TRUE(types_.Add<Offer>().ok());
  const absl::Status status = Decode<Offer>(QuoteV1{}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.ToString(),
              HasSubstr("market.Quote version 1 cannot become market.Offer version 1: "
                        "market.Quote version 2 has no upcaster"));
}

TEST_F(PayloadTypesTest, ANewerTypeDoesNotBecomeAnOlderOne) {
  AddQuotes();
  EXPECT_THAT(Decode<QuoteV1>(Offer{}).status().ToString(),
              HasSubstr("market.Offer version 1 cannot become market.Quote version 1: it has no "
                        "upcaster"));
}

TEST_F(PayloadTypesTest, AnotherSizeIsAnotherLayout) {
  AddQuotes();
  const std::vector<std::byte> bytes(sizeof(QuoteV1) + 1);
  for (const size_t size_bytes : {size_t{0}, sizeof(QuoteV1) - 1, sizeof(QuoteV1) + 1}) {
    const absl::Status status =
        types_.Decode<Offer>(TypeId<QuoteV1>(), std::span(bytes).first(size_bytes)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_THAT(status.ToString(), HasSubstr("but market.Quote version 1 has 4"));
  }
}

TEST_F(PayloadTypesTest, AnUpcasterMayRefuseAValue) {
  AddQuotes();
  EXPECT_TRUE(absl::IsOutOfRange(Decode<Offer>(QuoteV1{-1}).status()));
}

TEST_F(PayloadTypesTest, AnUpcasterThatThrowsIsAnError) {
  ASSERT_TRUE((types_
                   .AddUpcaster<QuoteV1, Offer>(
                       [](const QuoteV1&) -> Offer { throw std::runtime_error("no price"); })
                   .ok()));
  const absl::Status status = Decode<Offer>(QuoteV1{}).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(status.ToString(), HasSubstr("from market.Quote version 1 to market.Offer version 1 "
                                           "threw: no price"));
}

TEST_F(PayloadTypesTest, ATypeIsAddedOnce) {
  ASSERT_TRUE(types_.Add<Offer>().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(types_.Add<Offer>()));
}

TEST_F(PayloadTypesTest, TwoLayoutsOfOneNameAndVersionAreRefused) {
  ASSERT_TRUE(types_.Add<QuoteV1>().ok());
  const absl::Status status = types_.Add<QuoteV1Changed>();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr("of 4 and 8 bytes"),
                                       HasSubstr("market.Quote version 1"), HasSubstr("raise")));
  EXPECT_TRUE(absl::IsNotFound(Decode<QuoteV1Changed>(QuoteV1Changed{}).status()));
}

TEST_F(PayloadTypesTest, TwoNamesWithOneIdAreRefused) {
  ASSERT_TRUE(types_.Add<CollidingA>().ok());
  const absl::Status status = types_.Add<CollidingB>();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(status.ToString(),
              AllOf(HasSubstr("collide.100171 version 1"), HasSubstr("collide.123053 version 1"),
                    HasSubstr("45b1a181")));
}

TEST_F(PayloadTypesTest, ASecondUpcasterOfATypeIsRefused) {
  AddQuotes();
  const absl::Status status =
      types_.AddUpcaster<QuoteV1, Offer>([](const QuoteV1&) { return Offer{}; });
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(status.ToString(), HasSubstr("to market.Quote version 2 already"));
}

TEST_F(PayloadTypesTest, ACircleIsRefused) {
  AddQuotes();
  const absl::Status status =
      types_.AddUpcaster<Offer, QuoteV1>([](const Offer&) { return QuoteV1{}; });
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.ToString(), HasSubstr("from market.Offer version 1 to market.Quote version 1 "
                                           "would close a circle"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      types_.AddUpcaster<Unrelated, Unrelated>([](const Unrelated& same) { return same; })));
}

TEST_F(PayloadTypesTest, DescribesDeclaredFields) {
  AddQuotes();
  const Offer offer{1.25, -3};
  const absl::StatusOr<PayloadText> text = types_.Describe(TypeId<Offer>(), BytesOf(offer));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->type, "market.Offer");
  EXPECT_EQ(text->version, 1u);
  EXPECT_THAT(text->fields, ElementsAre(PayloadValue{"price", "1.25"}, PayloadValue{"size", "-3"}));
}

TEST_F(PayloadTypesTest, DescribesEveryKindOfField) {
  ASSERT_TRUE(types_.Add<Everything>().ok());
  Everything all{};
  all.level = {0.1f, Side::kAsk};
  all.flag = true;
  all.letter = '\n';
  std::memcpy(all.symbol, "A\"B", 3);
  all.full = {'x', 'y'};
  all.bytes = {0, 1, 255};
  all.most = ~uint64_t{0};
  all.least = -128;
  const absl::StatusOr<PayloadText> text = types_.Describe(TypeId<Everything>(), BytesOf(all));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(
      text->fields,
      ElementsAre(PayloadValue{"level.price", "0.1"}, PayloadValue{"level.side", "2"},
                  PayloadValue{"flag", "true"}, PayloadValue{"letter", "\\n"},
                  PayloadValue{"symbol", "A\\\"B"}, PayloadValue{"full", "xy"},
                  PayloadValue{"bytes", "[0, 1, 255]"},
                  PayloadValue{"most", "18446744073709551615"}, PayloadValue{"least", "-128"}));
}

TEST_F(PayloadTypesTest, ATypeWithoutDeclaredFieldsHasANameOnly) {
  AddQuotes();
  const QuoteV1 quote{1};
  const absl::StatusOr<PayloadText> text = types_.Describe(TypeId<QuoteV1>(), BytesOf(quote));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->type, "market.Quote");
  EXPECT_THAT(text->fields, IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(types_.Describe(1, {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(types_.Describe(TypeId<QuoteV1>(), {}).status()));
}

}  // namespace
}  // namespace bitactor::test
