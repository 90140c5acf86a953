#include "cli/journal_print.h"

#include <nlohmann/json.hpp>

#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "cli/progress.h"
#include "market/stage_messages.h"
#include "pipeline/chain.h"
#include "pipeline/payload_fields.h"
#include "tools/journal_set_fixture.h"
#include "tools/parse_csv.h"

namespace bitactor::test {
namespace {

using cli::AppendRecord;
using cli::Heading;
using cli::RecordFormat;
using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class JournalPrintTest : public JournalSetFixture {
 protected:
  // The last record in this format.
  std::string Last(RecordFormat format) {
    cli::JournalMerge merge = MustMerge();
    std::string text;
    while (const auto next = merge.Next()) {
      text.clear();
      AppendRecord(format, *next, text);
    }
    return text;
  }

  static inline const market::Fill kFill = {{1, 2, 3, 4, 5, 6, 7, 8}, 9, 10, -11, 12};
};

TEST_F(JournalPrintTest, TextShowsPlaceTimeAndFields) {
  AppendMessage(kFill, {.shard = 2});
  EXPECT_EQ(
      Last(RecordFormat::kText),
      "2:1          2026-01-02T03:04:05.000000000Z cast   Fill       1 -> 2  id 1/1  72 bytes "
      "top.sequence=1 top.time_ns=2 top.bid_price=3 top.ask_price=4 top.bid_size=5 "
      "top.ask_size=6 top.locate=7 top.executed_shares=8 order_number=9 price=10 "
      "quantity=-11 cancelled_quantity=12\n");
}

TEST_F(JournalPrintTest, AnUnknownTypeShowsItsId) {
  Append({.type = 0xAB}, "secret");
  EXPECT_THAT(Last(RecordFormat::kText), HasSubstr(" 000000ab "));
  EXPECT_THAT(Last(RecordFormat::kText), EndsWith("6 bytes\n"));
  const json line = json::parse(Last(RecordFormat::kJson));
  EXPECT_EQ(line["type"], "000000ab");
  EXPECT_FALSE(line.contains("fields"));
}

TEST_F(JournalPrintTest, APayloadThatIsNotAsLongAsItsTypeIsNotDecoded) {
  Append({.type = TypeId<market::Fill>()}, "short");
  EXPECT_THAT(Last(RecordFormat::kText), EndsWith("5 bytes\n"));
}

TEST_F(JournalPrintTest, HexShowsHeaderAndPayloadAsTheyWereAppended) {
  Append({.source = 0x61, .target = 0x62636465}, "hello, journal ok");
  const std::string text = Last(RecordFormat::kHex);
  EXPECT_THAT(text, HasSubstr("00000030  78 56 34 12 00 00 00 00  61 00 00 00 65 64 63 62  "
                              "|xV4.....a...edcb|\n"));
  EXPECT_THAT(text, HasSubstr("00000040  68 65 6c 6c 6f 2c 20 6a  6f 75 72 6e 61 6c 20 6f  "
                              "|hello, journal o|\n"));
  EXPECT_THAT(text, EndsWith("00000050  6b                                                "
                             "|k|\n"));
}

TEST_F(JournalPrintTest, JsonHasEveryHeaderFieldThePayloadAndItsFields) {
  AppendMessage(kFill, {.shard = 1, .kind = FrameKind::kReply});
  const std::string text = Last(RecordFormat::kJson);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const json line = json::parse(text);
  EXPECT_EQ(line["place"], "1:1");
  EXPECT_EQ(line["shard"], 1);
  EXPECT_EQ(line["position"], 1);
  EXPECT_EQ(line["time"], "2026-01-02T03:04:05.000000000Z");
  EXPECT_EQ(line["stamp_ns"], kStampNs);
  EXPECT_EQ(line["kind"], "reply");
  EXPECT_EQ(line["type"], "Fill");
  EXPECT_EQ(line["source"], 1);
  EXPECT_EQ(line["target"], 2);
  EXPECT_EQ(line["message_id"], MakeMessageId(1, 1));
  EXPECT_EQ(line["size_bytes"], sizeof(kFill));
  const std::string payload = line["payload"];
  EXPECT_EQ(payload.size(), 2 * sizeof(kFill));
  EXPECT_THAT(payload, ::testing::StartsWith("01000000000000000200"));
  EXPECT_EQ(line["fields"]["quantity"], -11);
  EXPECT_EQ(line["fields"]["top.executed_shares"], 8);
  EXPECT_EQ(line["fields"].size(), 12u);
}

TEST_F(JournalPrintTest, TextOfAPayloadCannotEscapeItsPlace) {
  const std::string kName = "a\"b\\c,\n\x1b[2J\xff\r\n\"";
  AppendMessage(bitactor::internal::NameRecord::Of(17, 0, kName), {.kind = FrameKind::kSystem});
  const std::string text = Last(RecordFormat::kText);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const std::string name = json::parse(Last(RecordFormat::kJson))["fields"]["name"];
  EXPECT_EQ(name, "a\"b\\c,\n\x1b[2J\xef\xbf\xbd\r\n\"");
  const auto rows = ParseCsv(Heading(RecordFormat::kCsv) + Last(RecordFormat::kCsv));
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(json::parse((*rows)[1].back())["name"], name);
}

TEST_F(JournalPrintTest, ACsvRowHasWhatTheJsonLineHas) {
  AppendMessage(kFill, {.stamp_ns = ~uint64_t{0}});
  const auto line = nlohmann::ordered_json::parse(Last(RecordFormat::kJson));
  const auto rows = ParseCsv(Heading(RecordFormat::kCsv) + Last(RecordFormat::kCsv));
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 2u);
  const std::vector<std::string>& names = (*rows)[0];
  const std::vector<std::string>& values = (*rows)[1];
  ASSERT_EQ(names.size(), line.size());
  ASSERT_EQ(values.size(), line.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const nlohmann::ordered_json& value = line[names[i]];
    EXPECT_EQ(values[i], value.is_string() ? value.get<std::string>() : value.dump()) << names[i];
  }
}

TEST(PayloadFieldsTest, EveryMessageTypeThatHasANameHasFields) {
  size_t described = 0;
  for (const auto& [type, name] : pipeline::KnownTypeNames()) {
    EXPECT_EQ(pipeline::TypeNameOf(type), name);
    // Actors are no messages: their types stand in name records alone.
    if (name.ends_with("Actor")) continue;
    const std::vector<std::byte> zeros(kMaxPayloadBytes);
    bool found = false;
    for (size_t size = 1; size <= zeros.size(); ++size) {
      found = found || pipeline::FieldsOf(type, std::span(zeros).first(size)).has_value();
    }
    EXPECT_TRUE(found) << name;
    ++described;
  }
  EXPECT_EQ(described, 13u);
}

TEST(PayloadFieldsTest, AValueWithoutAWordIsANumber) {
  market::FeedEvent event{};
  event.kind = market::EventKind::kReplace;
  event.side = static_cast<market::Side>(9);
  const auto fields =
      pipeline::FieldsOf(TypeId<market::FeedEvent>(), std::as_bytes(std::span(&event, 1)));
  ASSERT_TRUE(fields.has_value());
  EXPECT_EQ((*fields)[7].value, pipeline::FieldValue("replace"));
  EXPECT_EQ((*fields)[8].value, pipeline::FieldValue(uint64_t{9}));
}

TEST(ProgressTextTest, ShowsShareRateAndTimeLeft) {
  constexpr uint64_t kMiB = 1 << 20;
  EXPECT_EQ(cli::ProgressText(256 * kMiB, 1024 * kMiB, 500'000'000),
            "[#####...............]  25 %  256.0 of 1024.0 MiB  512.0 MiB/s  2 s left");
  EXPECT_EQ(cli::ProgressText(kMiB, kMiB, 1'000'000'000),
            "[####################] 100 %  1.0 of 1.0 MiB  1.0 MiB/s  0 s left");
  EXPECT_EQ(cli::ProgressText(3 * kMiB, kMiB, 1'000'000'000),
            "[####################] 100 %  1.0 of 1.0 MiB  3.0 MiB/s  0 s left");
  EXPECT_EQ(cli::ProgressText(0, kMiB, 0),
            "[....................]   0 %  0.0 of 1.0 MiB  0.0 MiB/s");
  EXPECT_EQ(cli::ProgressText(kMiB, 0, 1'000'000'000), "1.0 MiB  1.0 MiB/s");
}

}  // namespace
}  // namespace bitactor::test
