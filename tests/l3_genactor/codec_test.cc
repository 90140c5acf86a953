// Messages that are more than their bytes: whole at every length, refused when malformed, replayed.
#include "bitactor/l3_genactor/codec.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/codec_json.h"
#include "bitactor/l3_genactor/system.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace codec_test {

// [note]
struct Note {
  uint64_t id = 0;
  std::string text;
  std::vector<std::string> tags;
  std::vector<uint32_t> numbers;
  auto Fields() { return std::tie(id, text, tags, numbers); }
  friend bool operator==(const Note&, const Note&) = default;
};
// [note]
struct Append {
  std::string text;
  auto Fields() { return std::tie(text); }
};
struct Whole {
  using Reply = std::string;
};
// Answered with the same.
struct Echo {
  Echo() = default;
  explicit Echo(Note note_) : note(std::move(note_)) {}
  Note note;
  auto Fields() { return std::tie(note); }
  using Reply = Note;
};
struct Document {
  Document() = default;
  explicit Document(nlohmann::json body_) : body(std::move(body_)) {}
  nlohmann::json body;
  auto Fields() { return std::tie(body); }
  using Reply = nlohmann::json;
};
// The same bytes as a Note has, read as one; what no handler may see.
struct Raw {
  static constexpr std::string_view kTypeName = "bitactor::codec_test::Echo";
  std::string bytes;
  using Reply = Note;
};
struct RawAppend {
  static constexpr std::string_view kTypeName = "bitactor::codec_test::Append";
  std::string bytes;
};

}  // namespace codec_test

template <>
struct Codec<codec_test::Raw> {
  static size_t Size(const codec_test::Raw& m) { return m.bytes.size(); }
  static void Encode(const codec_test::Raw& m, std::span<std::byte> to) {
    Codec<std::string>::Encode(m.bytes, to);
  }
  static absl::StatusOr<codec_test::Raw> Decode(std::span<const std::byte>) {
    return absl::UnimplementedError("only sent");
  }
};
template <>
struct Codec<codec_test::RawAppend> {
  static size_t Size(const codec_test::RawAppend& m) { return m.bytes.size(); }
  static void Encode(const codec_test::RawAppend& m, std::span<std::byte> to) {
    Codec<std::string>::Encode(m.bytes, to);
  }
  static absl::StatusOr<codec_test::RawAppend> Decode(std::span<const std::byte>) {
    return absl::UnimplementedError("only sent");
  }
};

namespace codec_test {

class Scribe : public Actor<Scribe, Append, Whole, Echo, Document> {
 public:
  void On(const Append& m) { text_ += m.text; }
  std::string On(const Whole&) { return text_; }
  Task<Note> On(Echo m) {
    ++echoes_;
    co_return std::move(m.note);
  }
  nlohmann::json On(const Document& m) { return {{"got", m.body}}; }
  auto State() const { return std::tie(text_, echoes_); }

 private:
  std::string text_;
  int64_t echoes_ = 0;
};
// To send bytes that a Scribe takes for something else.
class Forger : public Actor<Forger, Raw, RawAppend> {
 public:
  Note On(const Raw&) { return {}; }
  void On(const RawAppend&) {}
};

struct Ask {
  Ref<Scribe> scribe;
  uint64_t letters;
  using Reply = int64_t;
};
// Calls a scribe from another shard or its own.
class Reader : public Actor<Reader, Ask> {
 public:
  Task<int64_t> On(Ask m) {
    Note note;
    note.text.assign(m.letters, 'x');
    const Note echo = co_await Call(m.scribe, Echo(note));
    Cast(m.scribe, Append{note.text});
    const std::string whole = co_await Call(m.scribe, Whole{});
    co_return echo == note ? static_cast<int64_t>(whole.size()) : -1;
  }
};

class CodecTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(""); }
  void TearDown() override {
    system_->WaitIdle();
    EXPECT_TRUE(system_->Counters().AddUp());
    EXPECT_EQ(system_->fabric().Blocks().in_use, 0u) << "every block was given back";
  }
  void Start(const std::string& durable) {
    system_.reset();
    SystemOptions options;
    options.shards = 2;
    options.durable = durable;
    options.fabric.threads = false;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    options.fabric.block_bytes = 1 << 20;
    options.fabric.journal.files = &files_;
    options.fabric.journal.segment_bytes = 1 << 20;
    options.fabric.journal.prepare_ahead = false;
    auto system = System::Start(options);
    ASSERT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
    scribe_ = system_->Spawn<Scribe>("scribe");
  }

  test::SimulatedFiles files_;
  std::unique_ptr<System> system_;
  Handle<Scribe> scribe_;
};

TEST_F(CodecTest, AMessageOfAnyLengthArrivesWholeAndSoDoesItsAnswer) {
  std::mt19937_64 random(test::Seed());
  for (size_t letters : {0, 1, 60, 90, 100, 103, 104, 105, 128, 129, 4'000, 100'000}) {
    Note note;
    note.id = random();
    note.text.assign(letters, static_cast<char>('a' + letters % 26));
    note.tags.assign(letters % 5, "tag");
    note.numbers.assign(letters % 7, 7);
    const absl::StatusOr<Note> echo = scribe_.Call(Echo(note));
    ASSERT_TRUE(echo.ok()) << letters << ": " << echo.status();
    EXPECT_EQ(*echo, note) << letters;
  }
}

TEST_F(CodecTest, ActorsSendThemToEachOther) {
  const auto reader = system_->Spawn<Reader>("reader");
  int64_t whole = 0;
  for (uint64_t letters : {10u, 127u, 128u, 1'000u, 50'000u}) {
    whole += static_cast<int64_t>(letters);
    EXPECT_EQ(reader.Call(Ask{scribe_, letters}).value_or(-2), whole);
  }
}

TEST_F(CodecTest, AnAnswerThatNobodyReadsGivesItsBlockBack) {
  scribe_.Cast(Append{std::string(5'000, 'x')});
  { auto dropped = scribe_.CallAsync(Whole{}); }
  system_->WaitIdle();
  auto kept = scribe_.CallAsync(Whole{});
  system_->WaitIdle();
  EXPECT_EQ(kept.Wait().value_or("").size(), 5'000u);
  // To a port that is closed, and over more lanes than it reads.
  Port closed = system_->fabric().OpenPort();
  ASSERT_TRUE(
      closed
          .StartCall(scribe_.ref().address, TypeId<Whole>(), 1'000'000,
                     [](auto& core, const auto& envelope) { return core.Send(envelope, Whole{}); })
          .ok());
  closed = Port();
  system_->WaitIdle();
}

TEST_F(CodecTest, AnAnswerThatIsTooLongIsAnError) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(scribe_.Cast(Append{std::string(150'000, 'x')}), SendResult::kOk);
  }
  const absl::Status status = scribe_.Call(Whole{}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find("too_long"), absl::string_view::npos) << status;
}

TEST_F(CodecTest, JsonTravelsAsItsText) {
  nlohmann::json body = {{"symbol", "ACME"}, {"lots", {1, 2, 3}}, {"note", std::string(300, 'n')}};
  const absl::StatusOr<nlohmann::json> answer = scribe_.Call(Document(body));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ((*answer)["got"], body);
  const std::string text = "{\"a\": [1, }";
  const auto bad =
      Codec<nlohmann::json>::Decode(std::as_bytes(std::span(text.data(), text.size())));
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(bad.status().message().find("at byte 11 of 11"), absl::string_view::npos)
      << bad.status();
}

// Every prefix of a message, and random bytes in its place: an error with a place, or a message.
TEST_F(CodecTest, MalformedBytesAreRefusedAndReachNoHandler) {
  Note note;
  note.id = 7;
  note.text = "text";
  note.tags = {"a", "bc"};
  note.numbers = {1, 2};
  const Echo echo(note);
  std::string bytes(Codec<Echo>::Size(echo), '\0');
  Codec<Echo>::Encode(echo, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  Handle<Forger> forged(system_.get(), scribe_.ref().address);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = forged.Call(Raw{bytes.substr(0, size)}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_NE(status.message().find("malformed bitactor::codec_test::Echo: part 1"),
              absl::string_view::npos)
        << status;
  }
  EXPECT_EQ(forged.Call(Raw{bytes + "x"}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(forged.Call(Raw{bytes}).ok());
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < test::Rounds(300); ++i) {
    std::string other = bytes;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      other[random() % other.size()] = static_cast<char>(random());
    }
    const absl::StatusOr<Note> answer = forged.Call(Raw{other});
    EXPECT_TRUE(answer.ok() || answer.status().code() == absl::StatusCode::kDataLoss)
        << answer.status();
  }
  // Of a cast nobody can be told: a dead letter. Nobody crashed over any of them.
  forged.Cast(RawAppend{"\x05"});
  system_->WaitIdle();
  const auto counters = system_->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kUnhandled)], 1u);
  EXPECT_TRUE(scribe_.Call(Whole{}).ok());
}

TEST_F(CodecTest, WhatIsLargeIsReplayed) {
  Start("journals");
  const std::string large(3'000, 'l');
  scribe_.Cast(Append{"small "});
  scribe_.Cast(Append{large});
  EXPECT_TRUE(scribe_.Call(Echo(Note{.id = 1, .text = large, .tags = {}, .numbers = {}})).ok());
  const uint64_t digest = system_->Digest();
  Start("journals");
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_EQ(scribe_.Call(Whole{}).value_or(""), "small " + large);
  // A reader's large answers are a part of its history.
  const auto reader = system_->Spawn<Reader>("reader");
  EXPECT_EQ(reader.Call(Ask{scribe_, 500}).value_or(-1), 3'506);
  const uint64_t later = system_->Digest();
  Start("journals");
  EXPECT_TRUE(system_->Spawn<Reader>("reader").ok());
  EXPECT_EQ(system_->Digest(), later);
}

}  // namespace codec_test
}  // namespace bitactor
