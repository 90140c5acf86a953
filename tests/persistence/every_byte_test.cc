// Every byte: a journal of 1,000 records, of which each single bit is flipped, each length cut, each
// pair of records swapped, each slot replaced by a stale one. A reader notices all of it and names
// the place, but for bytes that belong to nobody. BITACTOR_SOAK also tries verify and recovery with
// all of it, otherwise with a part.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/match.h"
#include "bitactor/persistence/journal_verify.h"
#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kBytes = 256 << 10;  // of a segment
constexpr uint64_t kUnits = kBytes / kFrameUnitBytes;
constexpr uint32_t kSegments = 2;

// The sanitizers slow the reader down by ten, and look for other things: there an eighth is enough.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kShare = 8;
#else
constexpr uint64_t kShare = 1;
#endif

// 815 frames of all lengths and 185 blocks, one of them over the end of the first segment.
std::vector<std::string> Texts() {
  std::vector<std::string> texts;
  for (uint64_t number = 0; number < 1000; ++number) {
    const bool is_block = number % 27 < 5;
    size_t size_bytes = is_block ? 129 + Mix64(number) % 3400 : Mix64(number) % 129;
    if (number == 480) size_bytes = 20'000;
    std::string text(size_bytes, '\0');
    for (size_t at = 0; at < size_bytes; ++at) {
      text[at] = static_cast<char>(Mix64(number << 32 | (at + 1)));
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

// One slot, as docs/journal_format.md tells how to find it: an independent reading of the format.
struct Slot {
  uint64_t position;
  uint64_t units;
  uint64_t used_bytes;  // what is behind them belongs to nobody
  bool is_record;
};

class EveryByteTest : public JournalFixture {
 protected:
  // Two segments, the second one nearly full.
  void WriteJournal(bool close) {
    JournalOptions options = Options();
    options.segment_bytes = kBytes;
    journal_ = std::make_unique<Journal>(Journal::Open(kDir, options).value());
    for (const std::string& text : texts_) {
      ASSERT_TRUE(journal_->Append(Bytes(text)).ok());
    }
    if (close) {
      ASSERT_TRUE(journal_->Close().ok());
    }
    Kill();
    reader_ = std::make_unique<JournalReader>(JournalReader::Open(kDir, *files_).value());
    for (uint32_t index = 0; index < kSegments; ++index) {
      auto file = files_->Open(SegmentFile(index), FileSystem::OpenMode::kReadWrite).value();
      mappings_[index] = file->Map(0, kBytes, File::Access::kReadWrite).value();
      FindSlots(index);
    }
    ASSERT_FALSE(*files_->Exists(SegmentFile(kSegments)));
    History history = reader_->Replay();
    for (const Record& record : history) positions_.push_back(record.position().value());
    ASSERT_EQ(positions_.size(), texts_.size()) << history.status();
  }
  void FindSlots(uint32_t index) {
    const std::byte* data = mappings_[index]->data();
    slots_.push_back({index * kUnits, 1, kFrameUnitBytes, false});  // the header
    for (uint64_t unit = 1; unit < kUnits;) {
      const std::byte* at = data + unit * kFrameUnitBytes;
      uint64_t commit_word;
      std::memcpy(&commit_word, at, 8);
      if (commit_word == 0) break;
      const auto kind = std::to_integer<int>(at[5]);
      uint64_t used_bytes = 64 + std::to_integer<uint64_t>(at[4]);
      if (kind == 6) {
        std::memcpy(&used_bytes, at + 32, 8);
        used_bytes += 64;
      }
      const uint64_t units = (used_bytes + 63) / 64;
      slots_.push_back({index * kUnits + unit, units, used_bytes, kind != 6 && kind != 8});
      unit += units;
    }
  }

  std::byte* At(uint64_t position) {
    return mappings_[position / kUnits]->data() + position % kUnits * kFrameUnitBytes;
  }

  // Reads from the record before the one at or before `position`. Returns the status, after at most
  // four records, all of which have to be what they were.
  absl::Status ReadNear(uint64_t position) {
    const auto behind = std::upper_bound(positions_.begin(), positions_.end(), position);
    auto number = static_cast<size_t>(behind - positions_.begin());
    number = number < 2 ? 0 : number - 2;
    History history =
        reader_->Replay({.from = number == 0 ? Position::Begin() : Position(positions_[number])});
    for (int i = 0; i < 4; ++i, ++number) {
      const Record* record = history.Next();
      if (record == nullptr) break;
      const std::span<const std::byte> bytes = record->bytes();
      if (number >= texts_.size() || record->position().value() != positions_[number] ||
          bytes.size() != texts_[number].size() ||
          (!bytes.empty() && std::memcmp(bytes.data(), texts_[number].data(), bytes.size()) != 0)) {
        return absl::InternalError("a record was read that nobody wrote");
      }
    }
    return history.status();
  }
  // What was changed at `slot` ends a replay there.
  void ExpectNoticed(const Slot& slot, const char* what) {
    const absl::Status status = ReadNear(slot.position);
    const std::string place =
        slot.position % kUnits == 0
            ? SegmentFile(static_cast<uint32_t>(slot.position / kUnits)) + ": offset "
            : absl::StrFormat("offset %d (position %d)", slot.position % kUnits * kFrameUnitBytes,
                              slot.position);
    if (status.ok() || absl::IsInternal(status) || !absl::StrContains(status.message(), place)) {
      ADD_FAILURE() << what << " at position " << slot.position << ": " << status;
    }
    ++noticed_;
  }

  // Calls `check` for each bit of the segment with that bit flipped.
  void FlipEveryBit(uint32_t index) {
    for (const Slot& slot : slots_) {
      if (slot.position / kUnits != index) continue;
      for (uint64_t offset = 0; offset < slot.units * kFrameUnitBytes; ++offset) {
        for (int bit = 0; bit < 8; ++bit) {
          if ((offset + static_cast<uint64_t>(bit)) % kShare != 0) continue;
          At(slot.position)[offset] ^= std::byte{1} << bit;
          if (offset < slot.used_bytes) {
            ExpectNoticed(slot, "flipped bit");
          } else if (const absl::Status status = ReadNear(slot.position); !status.ok()) {
            ADD_FAILURE() << "a bit that belongs to nobody: " << status;
          }
          At(slot.position)[offset] ^= std::byte{1} << bit;
          if (HasFailure()) return;
        }
      }
    }
  }

  VerifyReport Verify() { return VerifyJournal(kDir, *files_).value(); }
  absl::StatusOr<Journal> OpenForWriting() {
    JournalOptions options = Options();
    options.segment_bytes = kBytes;
    return Journal::Open(kDir, options);
  }
  // Of what takes as long as the whole journal, all when soaking, otherwise every `usual`-th.
  static uint64_t Step(uint64_t usual) {
    return std::getenv("BITACTOR_SOAK") != nullptr ? 1 : usual;
  }

  const std::vector<std::string> texts_ = Texts();
  std::vector<uint64_t> positions_;  // of the records
  std::vector<Slot> slots_;          // and headers, in order
  std::unique_ptr<Mapping> mappings_[kSegments];
  std::unique_ptr<JournalReader> reader_;
  uint64_t noticed_ = 0;
};

TEST_F(EveryByteTest, TheJournalHasWhatItShould) {
  WriteJournal(true);
  EXPECT_EQ(positions_.size(), 1000u);
  EXPECT_EQ(std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.is_record; }),
            1000);
  const Slot& last = slots_.back();
  EXPECT_GT(last.position, kUnits * 2 - 100);  // nearly full
  // The block over the end of the first segment begins there, and its record is in the second.
  const auto record = std::upper_bound(positions_.begin(), positions_.end(), kUnits);
  EXPECT_EQ(texts_[static_cast<size_t>(record - positions_.begin())].size(), 20'000u);
  EXPECT_TRUE(Verify().ok());
  EXPECT_TRUE(Verify().closed_clean);
}

TEST_F(EveryByteTest, EveryFlippedBitOfTheFirstSegmentIsNoticed) {
  WriteJournal(true);
  FlipEveryBit(0);
  EXPECT_GT(noticed_, kBytes * 7 / kShare);
}

TEST_F(EveryByteTest, EveryFlippedBitOfTheLastSegmentIsNoticed) {
  WriteJournal(true);
  FlipEveryBit(1);
  EXPECT_GT(noticed_, kBytes * 7 / kShare);
}

// Nothing is written there; a reader may or may not pass by, but verify sees it.
TEST_F(EveryByteTest, EveryFlippedBitBehindTheEndIsNoticed) {
  WriteJournal(true);
  const uint64_t end = slots_.back().position + slots_.back().units;
  for (uint64_t bit = 0; bit < (kUnits * 2 - end) * kFrameUnitBytes * 8; bit += kShare) {
    std::byte& byte = At(end)[bit / 8];
    byte ^= std::byte{1} << (bit % 8);
    const VerifyReport report = Verify();
    ASSERT_EQ(report.damage_count, 1u) << bit;
    EXPECT_EQ(report.damages[0].kind, DamageKind::kTornTail);
    EXPECT_EQ(report.damages[0].position, Position(end));
    EXPECT_EQ(report.damages[0].bytes, bit / 8 / 64 * 64 + 64);
    EXPECT_EQ(report.records, 1000u);
    byte ^= std::byte{1} << (bit % 8);
  }
}

TEST_F(EveryByteTest, VerifyNamesTheSlotOfAFlippedBit) {
  WriteJournal(true);
  const uint64_t last = slots_.back().position;
  uint64_t number = 0;
  for (const Slot& slot : slots_) {
    for (uint64_t offset = 0; offset < slot.used_bytes; ++offset) {
      for (int bit = 0; bit < 8; ++bit) {
        if (number++ % Step(251) != 0) continue;
        At(slot.position)[offset] ^= std::byte{1} << bit;
        const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *files_);
        // The version comes before the checksum: what looks like another one is not read at all.
        if (!report.ok()) {
          EXPECT_THAT(std::string(report.status().message()), HasSubstr("format version"));
        } else {
          ASSERT_GE(report->damage_count, 1u) << slot.position << " + " << offset;
          const Damage& damage = report->damages[0];
          EXPECT_EQ(damage.file, SegmentFile(static_cast<uint32_t>(slot.position / kUnits)));
          if (slot.position % kUnits != 0) {
            EXPECT_EQ(damage.position, Position(slot.position));
          }
          // Only the very last seal of a closed journal cannot be told from a torn tail.
          EXPECT_EQ(damage.kind == DamageKind::kTornTail, slot.position == last);
        }
        At(slot.position)[offset] ^= std::byte{1} << bit;
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(EveryByteTest, AClosedJournalWithAFlippedBitDoesNotOpen) {
  WriteJournal(true);
  uint64_t number = 0;
  for (const Slot& slot : slots_) {
    if (slot.position < kUnits || slot.position == slots_.back().position) continue;
    for (uint64_t offset = 0; offset < slot.used_bytes; ++offset) {
      for (int bit = 0; bit < 8; ++bit) {
        if (number++ % Step(257) != 0) continue;
        At(slot.position)[offset] ^= std::byte{1} << bit;
        const absl::Status status = OpenForWriting().status();
        ASSERT_FALSE(status.ok()) << slot.position << " + " << offset;
        if (slot.position % kUnits != 0) {
          EXPECT_THAT(std::string(status.message()),
                      HasSubstr(absl::StrFormat("(position %d)", slot.position)));
        }
        At(slot.position)[offset] ^= std::byte{1} << bit;
      }
    }
  }
}

// At level process the end of a journal that was not closed may be torn: the last slot is cut, and
// nothing else.
TEST_F(EveryByteTest, AFlippedBitAtAnUnsealedEndIsATornTail) {
  WriteJournal(false);
  const Slot last = slots_.back();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (uint64_t offset = 0; offset < last.used_bytes; ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      files_ = image->AfterKill();
      files_->FlipBit(SegmentFile(1), last.position % kUnits * kFrameUnitBytes + offset, bit);
      const absl::StatusOr<Journal> opened = OpenForWriting();
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_EQ(opened->tail(), Position(last.position));
      EXPECT_EQ(opened->recovery().torn_bytes, last.units * kFrameUnitBytes);
    }
  }
}

TEST_F(EveryByteTest, EveryTruncationIsNoticed) {
  WriteJournal(true);
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (uint32_t index = 0; index < kSegments; ++index) {
    files_ = image->AfterKill();
    reader_ = std::make_unique<JournalReader>(JournalReader::Open(kDir, *files_).value());
    const std::string file = SegmentFile(index) + ": has ";
    for (uint64_t length = kBytes; length-- > 0;) {
      files_->Truncate(SegmentFile(index), length);
      const absl::Status status = ReadNear(index * kUnits);
      if (status.ok() || !absl::StrContains(status.message(), file)) {
        FAIL() << "length " << length << ": " << status;
      }
      if (length % Step(4099) != 0) continue;
      const VerifyReport report = Verify();
      ASSERT_EQ(report.damages.at(0).file, SegmentFile(index));
      ASSERT_FALSE(OpenForWriting().ok());
    }
  }
}

TEST_F(EveryByteTest, EverySwappedPairOfRecordsIsNoticed) {
  WriteJournal(true);
  std::vector<Slot> records;
  std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(records),
               [](const Slot& slot) { return slot.is_record; });
  std::byte first_bytes[192];
  std::byte second_bytes[192];
  for (size_t i = 0; i < records.size(); i += kShare) {
    for (size_t j = i + 1; j < records.size(); ++j) {
      const Slot& first = records[i];
      const Slot& second = records[j];
      // As much of both as fits into the shorter one's place.
      const size_t size_bytes = std::min(first.units, second.units) * kFrameUnitBytes;
      std::memcpy(first_bytes, At(first.position), size_bytes);
      std::memcpy(second_bytes, At(second.position), size_bytes);
      std::memcpy(At(first.position), second_bytes, size_bytes);
      std::memcpy(At(second.position), first_bytes, size_bytes);
      ExpectNoticed(first, "swapped record");
      // The one behind it is behind damage, but a reader that starts there notices it, too.
      if (j > i + 2) ExpectNoticed(second, "swapped record");
      std::memcpy(At(first.position), first_bytes, size_bytes);
      std::memcpy(At(second.position), second_bytes, size_bytes);
      if (HasFailure()) return;
    }
  }
}

TEST_F(EveryByteTest, EveryRecordRepeatedBehindTheEndIsNoticed) {
  WriteJournal(true);
  const Slot end{slots_.back().position + 1, 3, 192, false};
  for (const Slot& slot : slots_) {
    if (!slot.is_record) continue;
    std::memcpy(At(end.position), At(slot.position), slot.units * kFrameUnitBytes);
    ExpectNoticed(end, "repeated record");
    std::memset(At(end.position), 0, 192);
    if (HasFailure()) return;
  }
}

// As in a recycled segment: the same slots in the same places, under another salt.
TEST_F(EveryByteTest, EveryStaleSlotIsNoticed) {
  WriteJournal(true);
  std::vector<std::vector<std::byte>> stale;
  for (uint32_t index = 0; index < kSegments; ++index) {
    stale.push_back(files_->Read(SegmentFile(index)));
  }
  std::vector<Slot> slots;
  std::swap(slots, slots_);
  positions_.clear();
  files_ = std::make_unique<SimulatedFiles>();
  WriteJournal(true);  // random numbers go on, so the salts are others
  ASSERT_EQ(slots.size(), slots_.size());
  for (const Slot& slot : slots_) {
    if (slot.position % kUnits == 0) continue;
    const size_t size_bytes = slot.units * kFrameUnitBytes;
    const std::vector<std::byte> fresh(At(slot.position), At(slot.position) + size_bytes);
    std::memcpy(At(slot.position),
                stale[slot.position / kUnits].data() + slot.position % kUnits * kFrameUnitBytes,
                size_bytes);
    ExpectNoticed(slot, "stale slot");
    std::memcpy(At(slot.position), fresh.data(), size_bytes);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace bitactor::test
