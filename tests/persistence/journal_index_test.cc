// An index gives what a filtered replay of everything gives, whatever happened to it or the journal.
#include "bitactor/persistence/journal_index.h"

#include <cstring>
#include <map>
#include <random>
#include <tuple>

#include "bitactor/persistence/repair.h"
#include "index_file.h"
#include "persistence/journal_fixture.h"
#include "support/seed.h"
#include "support/stopping_files.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a replay gave: positions and bytes, and the message when it ended with an error.
using Given = std::vector<std::pair<uint64_t, std::string>>;

class JournalIndexTest : public JournalFixture {
 protected:
  static constexpr uint32_t kTargets = 7;

  Position AppendTo(uint32_t target, std::string_view text = "text") {
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.target = target;
    frame.header.stamp_ns = ++appended_;
    Position position;
    if (text.size() > kMaxPayloadBytes) {
      position = journal_->AppendBlock(frame.header, Bytes(text)).value_or(Position::None());
    } else {
      frame.header.size_bytes = static_cast<uint8_t>(text.size());
      std::memcpy(frame.payload, text.data(), text.size());
      Seal(frame);
      position = journal_->AppendFrame(frame.header);
    }
    EXPECT_NE(position, Position::None()) << journal_->last_refusal();
    return position;
  }
  // Of random targets, the lower the more often; some are blocks, also over several segments.
  void AppendRandom(std::mt19937_64& random, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const auto target = static_cast<uint32_t>(random() % (1 + random() % kTargets));
      const uint64_t sort = random() % 200;
      const uint64_t size_bytes = sort == 0 ? 100'000 : sort < 5 ? random() % 3000 : random() % 129;
      AppendTo(target, std::string(size_bytes, static_cast<char>('a' + target)));
    }
  }
  // Three sealed segments and one in use.
  void FillFourSegments() {
    MustOpen();
    for (uint32_t i = 0; journal_->tail().value() < 3 * kSegmentUnits + 20; ++i) AppendTo(i % 16);
  }

  JournalIndex MustIndex() {
    absl::StatusOr<JournalIndex> index = JournalIndex::Open(kDir, *files_);
    EXPECT_TRUE(index.ok()) << index.status();
    return *std::move(index);
  }
  IndexReport Update() {
    absl::StatusOr<IndexReport> report = MustIndex().Update();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(IndexReport{});
  }
  template <typename AnyHistory>
  static Given GivenBy(AnyHistory&& history, const TargetFilter& wanted) {
    Given given;
    for (const Record& record : history) {
      if (!wanted(record.frame().header.target)) continue;
      given.emplace_back(
          record.position().value(),
          std::string(reinterpret_cast<const char*>(record.bytes().data()), record.bytes().size()));
    }
    if (!history.status().ok()) given.emplace_back(0, std::string(history.status().message()));
    return given;
  }
  // By reading everything.
  Given Expected(const TargetFilter& wanted, const TargetReplayOptions& options = {}) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return GivenBy(
        reader->Replay(
            {.from = options.from, .until = options.until, .skip_gaps = options.skip_gaps}),
        wanted);
  }
  static TargetFilter Only(uint32_t target) {
    return [target](uint32_t one) { return one == target; };
  }
  static TargetFilter All() {
    return [](uint32_t) { return true; };
  }
  static std::string IndexOf(uint32_t segment) {
    return absl::StrFormat("journal/index/%08d.idx", segment);
  }
  RepairReport Repair() {
    absl::StatusOr<RepairReport> report =
        RepairJournal(kDir, {.files = files_.get(),
                             .dry_run = false,
                             .progress = {},
                             .random = [this] { return Mix64(++randoms_); },
                             .now_ns = [this] { return now_ns_ += 1000; }});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RepairReport{});
  }

  uint64_t appended_ = 0;
};

TEST_F(JournalIndexTest, AnEmptyJournalHasNoTargetsAndNoIndexes) {
  MustOpen();
  EXPECT_EQ(Update().built, 0u);
  EXPECT_THAT(*MustIndex().Targets(), IsEmpty());
  EXPECT_EQ(MustIndex().Replay(0).Next(), nullptr);
}

TEST_F(JournalIndexTest, NoJournalIsNotFound) {
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  EXPECT_TRUE(absl::IsNotFound(JournalIndex::Open(kDir, *files_).status()));
}

TEST_F(JournalIndexTest, OnlySealedSegmentsGetOneAndTheTailIsRead) {
  FillFourSegments();
  EXPECT_EQ(Update().built, 3u);
  TargetHistory history = MustIndex().Replay(3);
  EXPECT_EQ(GivenBy(history, All()), Expected(Only(3)));
  EXPECT_EQ(history.segments_read_whole(), 1u);
  const IndexReport again = Update();
  EXPECT_EQ(again.kept, 3u);
  EXPECT_EQ(again.built + again.rebuilt + again.removed + again.left_out, 0u);
}

TEST_F(JournalIndexTest, ATargetWithoutRecordsHasNone) {
  FillFourSegments();
  Update();
  TargetHistory history = MustIndex().Replay(99);
  EXPECT_EQ(history.Next(), nullptr);
  EXPECT_TRUE(history.status().ok()) << history.status();
}

TEST_F(JournalIndexTest, SegmentsThatHoldManyWantedRecordsAreReadWhole) {
  FillFourSegments();
  Update();
  const TargetFilter few = [](uint32_t target) { return target < 1; };
  const TargetFilter many = [](uint32_t target) { return target < 3; };
  for (const TargetFilter& wanted : {few, many}) {
    TargetHistory history = MustIndex().Replay(wanted);
    EXPECT_EQ(GivenBy(history, All()), Expected(wanted));
    EXPECT_EQ(history.segments_read_whole(), wanted(2) ? 4u : 1u);
  }
}

TEST_F(JournalIndexTest, ALaterReplayGoesOnWithWhatWasAppendedSince) {
  FillFourSegments();
  Update();
  JournalIndex index = MustIndex();
  TargetHistory history = index.Replay(3);
  while (history.Next() != nullptr) continue;
  const Position from = history.next_position();
  const Position next = AppendTo(3);
  TargetHistory later = index.Replay(3, {.from = from});
  EXPECT_THAT(GivenBy(later, All()), ElementsAre(testing::Pair(next.value(), "text")));
}

// The writer seals segments while they are read, and their indexes are made meanwhile.
TEST_F(JournalIndexTest, WhatIsAppendedWhileItIsReadIsGivenOnce) {
  std::mt19937_64 random(Seed());
  FillFourSegments();
  Update();
  JournalIndex index = MustIndex();
  TargetHistory history = index.Replay(2);
  Given given;
  while (const Record* record = history.Next()) {
    given.emplace_back(
        record->position().value(),
        std::string(reinterpret_cast<const char*>(record->bytes().data()), record->bytes().size()));
    if (appended_ > 12'000) continue;
    AppendRandom(random, random() % 12);
    if (random() % 64 == 0) Update();
  }
  EXPECT_TRUE(history.status().ok()) << history.status();
  EXPECT_EQ(given, Expected(Only(2)));
  EXPECT_GT(journal_->tail().value(), 10 * kSegmentUnits);
}

TEST_F(JournalIndexTest, EqualsAFilteredReplayOfRandomJournals) {
  std::mt19937_64 random(Seed());
  MustOpen();
  std::vector<Position> places = {Position::Begin()};
  const int rounds = Rounds(120);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    AppendRandom(random, random() % 250);
    places.push_back(AppendTo(0));
    switch (random() % 8) {
      case 0:
        Kill();
        MustOpen();
        break;
      case 1:
        ASSERT_TRUE(journal_->Close().ok());
        MustOpen();
        break;
      case 2: {
        const Position before = places[random() % places.size()];
        const absl::StatusOr<RetentionReport> report = journal_->Retain({.before = before});
        ASSERT_TRUE(report.ok()) << report.status();
        std::erase_if(places, [&](Position place) {
          return place != Position::Begin() && place < report->first;
        });
        break;
      }
      default:
        break;
    }
    if (random() % 3 != 0) Update();
    const auto bits = static_cast<uint32_t>(random());
    const TargetFilter wanted = random() % 2 == 0
                                    ? Only(bits % (kTargets + 1))
                                    : [bits](uint32_t target) { return (bits >> target & 1) != 0; };
    TargetReplayOptions options;
    options.from = places[random() % places.size()];
    if (random() % 2 == 0) options.until = places[random() % places.size()];
    ASSERT_EQ(GivenBy(MustIndex().Replay(wanted, options), All()), Expected(wanted, options))
        << "round " << round << " from " << options.from << " until " << options.until;
    std::map<uint32_t, uint64_t> counts;
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    for (const Record& record : reader->Replay()) ++counts[record.frame().header.target];
    std::vector<TargetRecords> targets;
    for (const auto& [target, records] : counts) targets.push_back({target, records});
    ASSERT_EQ(*MustIndex().Targets(), targets);
    old_files_.clear();
  }
}

TEST_F(JournalIndexTest, AnyChangedBitOfAnIndexIsNoticedAndItIsMadeAnew) {
  FillFourSegments();
  Update();
  const Given expected = Expected(Only(1));
  const std::vector<std::byte> good = files_->Read(IndexOf(1));
  for (uint64_t bit = 0; bit < good.size() * 8; ++bit) {
    files_->FlipBit(IndexOf(1), bit / 8, static_cast<int>(bit % 8));
    TargetHistory history = MustIndex().Replay(1);
    ASSERT_EQ(GivenBy(history, All()), expected) << "bit " << bit;
    ASSERT_EQ(history.segments_read_whole(), 2u) << "bit " << bit;  // this one and the tail
    const IndexReport report = Update();
    ASSERT_EQ(report.rebuilt, 1u) << "bit " << bit;
    ASSERT_EQ(report.kept, 2u);
    ASSERT_EQ(files_->Read(IndexOf(1)), good);
  }
}

TEST_F(JournalIndexTest, AnIndexOfAnyOtherLengthIsMadeAnew) {
  FillFourSegments();
  Update();
  const Given expected = Expected(Only(1));
  const std::vector<std::byte> good = files_->Read(IndexOf(1));
  for (uint64_t size_bytes = 0; size_bytes < good.size() + 2; ++size_bytes) {
    if (size_bytes == good.size()) continue;
    if (size_bytes < good.size()) {
      files_->Truncate(IndexOf(1), size_bytes);
    } else {
      const std::vector<std::byte> more(1);
      ASSERT_TRUE((*files_->Open(IndexOf(1), FileSystem::OpenMode::kReadWrite))
                      ->WriteAt(good.size(), more)
                      .ok());
    }
    ASSERT_EQ(GivenBy(MustIndex().Replay(1), All()), expected) << size_bytes;
    ASSERT_EQ(Update().rebuilt, 1u) << size_bytes;
    ASSERT_EQ(files_->Read(IndexOf(1)), good);
  }
}

TEST_F(JournalIndexTest, TheIndexOfAnotherSegmentIsNotBelieved) {
  FillFourSegments();
  Update();
  ASSERT_TRUE(files_->Rename(IndexOf(0), IndexOf(1)).ok());
  EXPECT_EQ(GivenBy(MustIndex().Replay(1), All()), Expected(Only(1)));
  const IndexReport report = Update();
  EXPECT_EQ(report.built, 1u);
  EXPECT_EQ(report.rebuilt, 1u);
}

// Checksum and seal fit, but the places are wrong: as of a program with a fault.
TEST_F(JournalIndexTest, AnIndexThatDoesNotSayTheTruthIsNoticedWhereItIsUsed) {
  FillFourSegments();
  Update();
  const auto content = bitactor::internal::ReadSealedContent(*files_, kDir, 1);
  ASSERT_TRUE(content.ok() && content->has_value());
  const Given expected = Expected(Only(1));
  const auto records = static_cast<uint32_t>((*content)->records);
  const auto units = static_cast<uint32_t>(kSegmentUnits);
  // Inside of records, up to the seal, of other targets, behind the segment; and one is missing.
  for (const auto& [first, step, count] : {std::tuple(2u, 1u, records),
                                           {units - 20, 1u, records},
                                           {3u, 2u, records},
                                           {units - 10, 1u, records},
                                           {1u, 2u, records - 1}}) {
    bitactor::internal::IndexBuilder builder;
    for (uint32_t i = 0; i < 20; ++i) builder.Add(1, first + i * step);
    for (uint32_t i = 20; i < count; ++i) builder.Add(99, i);
    ASSERT_TRUE((*files_->Open(IndexOf(1), FileSystem::OpenMode::kCreate))
                    ->WriteAt(0, builder.Encode(**content))
                    .ok());
    TargetHistory history = MustIndex().Replay(1);
    EXPECT_EQ(GivenBy(history, All()), expected) << first << " " << step << " " << count;
    EXPECT_EQ(history.segments_read_whole(), 2u) << first << " " << step << " " << count;
  }
}

TEST_F(JournalIndexTest, DamageOfARecordIsReportedAsByAReplayOfEverything) {
  FillFourSegments();
  Update();
  const Given all = Expected(Only(1));
  const Position victim(all[all.size() / 2].first);
  files_->FlipBit(SegmentFile(static_cast<uint32_t>(victim.value() / kSegmentUnits)),
                  OffsetOf(victim) + 20, 1);
  const Given given = GivenBy(MustIndex().Replay(1), All());
  EXPECT_EQ(given, Expected(Only(1)));
  EXPECT_THAT(given.back().second, HasSubstr("position " + victim.ToString()));
  // The others of that segment do not stand behind it.
  EXPECT_EQ(GivenBy(MustIndex().Replay(2), All()).back().second, "text");
}

TEST_F(JournalIndexTest, DamageLeavesASegmentOutAndIsReported) {
  FillFourSegments();
  const Position victim(Expected(Only(1))[10].first);
  files_->FlipBit(SegmentFile(0), OffsetOf(victim) + 20, 1);
  const IndexReport report = Update();
  EXPECT_EQ(report.built, 2u);
  EXPECT_EQ(report.left_out, 1u);
  EXPECT_TRUE(absl::IsDataLoss(report.damage)) << report.damage;
  EXPECT_THAT(std::string(report.damage.message()), HasSubstr("position " + victim.ToString()));
  EXPECT_EQ(GivenBy(MustIndex().Replay(3), All()), Expected(Only(3)));
}

TEST_F(JournalIndexTest, WhatARepairGaveUpIsAGapHereToo) {
  FillFourSegments();
  Update();
  const Position victim(Expected(Only(1))[10].first);
  files_->FlipBit(SegmentFile(0), OffsetOf(victim) + 20, 1);
  ASSERT_TRUE(journal_->Close().ok());
  const std::vector<std::byte> old = files_->Read(IndexOf(0));
  ASSERT_EQ(Repair().gaps, 1u);
  EXPECT_FALSE(*files_->Exists(IndexOf(0)));
  EXPECT_EQ(Update().left_out, 1u);
  // Also by the index that was made before: as though it came back from a copy.
  for (const bool old_index : {false, true}) {
    if (old_index) {
      ASSERT_TRUE((*files_->Open(IndexOf(0), FileSystem::OpenMode::kCreate))->WriteAt(0, old).ok());
    }
    const Given given = GivenBy(MustIndex().Replay(1), All());
    EXPECT_EQ(given, Expected(Only(1)));
    EXPECT_THAT(given.back().second, HasSubstr("skip_gaps"));
    TargetHistory history = MustIndex().Replay(1, {.skip_gaps = true});
    EXPECT_EQ(GivenBy(history, All()), Expected(Only(1), {.skip_gaps = true}));
    EXPECT_EQ(history.gaps_skipped(), 1u);
  }
}

TEST_F(JournalIndexTest, IndexesOfRetiredSegmentsGo) {
  FillFourSegments();
  Update();
  ASSERT_TRUE(journal_->Retain({.before = Position(2 * kSegmentUnits)}).ok());
  EXPECT_EQ(GivenBy(MustIndex().Replay(1), All()), Expected(Only(1)));
  EXPECT_EQ(Update().removed, 2u);
  EXPECT_FALSE(*files_->Exists(IndexOf(0)));
  EXPECT_TRUE(*files_->Exists(IndexOf(2)));
  EXPECT_EQ(GivenBy(MustIndex().Replay(1), All()), Expected(Only(1)));
  const TargetReplayOptions retired = {.from = Position(1)};
  EXPECT_EQ(GivenBy(MustIndex().Replay(1, retired), All()), Expected(Only(1), retired));
}

TEST_F(JournalIndexTest, OneAtATimeUpdates) {
  FillFourSegments();
  Update();
  const auto held = files_->Lock("journal/index/lock", 1);
  ASSERT_TRUE(held.ok());
  const absl::Status status = MustIndex().Update().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is being updated by pid"));
}

TEST_F(JournalIndexTest, WithoutADirectoryToWriteEverythingIsRead) {
  FillFourSegments();
  files_->DenyWrites(kDir);
  EXPECT_FALSE(MustIndex().Update().ok());
  TargetHistory history = MustIndex().Replay(1);
  EXPECT_EQ(GivenBy(history, All()), Expected(Only(1)));
  EXPECT_EQ(history.segments_read_whole(), 4u);
}

TEST_F(JournalIndexTest, AnUpdateThatStopsAnywhereIsMadeUpForByTheNext) {
  FillFourSegments();
  const Given expected = Expected(Only(1));
  for (uint64_t changes = 0;; ++changes) {
    StoppingFiles stopping(*files_, changes);
    absl::StatusOr<JournalIndex> index = JournalIndex::Open(kDir, stopping);
    ASSERT_TRUE(index.ok()) << index.status();
    const bool done = index->Update().ok();
    EXPECT_EQ(done, !stopping.stopped());
    EXPECT_EQ(GivenBy(MustIndex().Replay(1), All()), expected) << changes;
    const IndexReport report = Update();
    EXPECT_EQ(report.kept + report.built, 3u) << changes;
    EXPECT_FALSE(*files_->Exists("journal/index/next.tmp"));
    if (done) break;
    for (uint32_t segment = 0; segment < 3; ++segment) {
      ASSERT_TRUE(files_->Remove(IndexOf(segment)).ok());
    }
  }
}

TEST_F(JournalIndexTest, AfterAPowerLossTheIndexIsGoodOrMadeAnew) {
  std::mt19937_64 random(Seed());
  FillFourSegments();
  files_->RestartMachine();  // the journal itself is on the disk
  Update();
  for (int round = 0; round < Rounds(20); ++round) {
    Kill();
    files_ = files_->AfterPowerLoss(random);
    MustOpen();
    ASSERT_EQ(GivenBy(MustIndex().Replay(1), All()), Expected(Only(1)));
    Update();
    ASSERT_EQ(GivenBy(MustIndex().Replay(1), All()), Expected(Only(1)));
    AppendRandom(random, 400);
    Update();
    old_files_.clear();
  }
}

// As docs/journal_format.md has it.
TEST_F(JournalIndexTest, TheBytesAreThoseOfTheContract) {
  bitactor::internal::IndexBuilder builder;
  builder.Add(7, 1);
  builder.Add(3, 2);
  builder.Add(7, 301);
  const std::vector<std::byte> file = builder.Encode(
      {.segment_index = 5, .units = 1024, .salt = 0x0123456789ABCDEF, .records = 3, .chain = 9});
  std::string hex;
  for (const std::byte b : file) absl::StrAppendFormat(&hex, "%02x", static_cast<uint8_t>(b));
  EXPECT_EQ(hex.substr(0, 120),
            "424941496e64780a"
            "01000000"
            "05000000"
            "efcdab8967452301"
            "0300000000000000"
            "0200000000000000"
            "0400000000000000"
            "09000000"
            "0000000000000000");
  EXPECT_EQ(hex.substr(128),
            "030000000100000001000000"
            "070000000200000003000000"
            "02"
            "01"
            "ac02");
  uint32_t crc = 0;
  std::memcpy(&crc, file.data() + 60, sizeof(crc));
  EXPECT_EQ(crc, Crc32c(Crc32c(0, file.data(), 60), file.data() + 64, file.size() - 64));
}

}  // namespace
}  // namespace bitactor::test
