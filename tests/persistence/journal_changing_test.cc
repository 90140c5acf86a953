// What a reader of a long record sees while its segments are changed or retired under it.
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "block_format.h"
#include "persistence/retention_fixture.h"
#include "segment_format.h"
#include "support/faulty_files.h"

namespace bitactor::test {
namespace {

using bitactor::internal::BlockPart;
using bitactor::internal::EncodeBlockPart;
using bitactor::internal::PartIn;
using bitactor::internal::PlaceMask;
using bitactor::internal::SegmentView;
using bitactor::internal::Slot;
using bitactor::internal::SlotKind;

class JournalChangingTest : public RetentionFixture {};

// Before each step that the reader takes in the file system, once at each, all but the last segment is
// retired.
TEST_F(JournalChangingTest, ALongRecordIsReadWholeOrIsOutOfRangeWhenItIsRetiredAtAnyStep) {
  size_t whole = 0, retired = 0;
  for (size_t at_step = 0;; ++at_step) {
    SCOPED_TRACE(at_step);
    journal_.reset();
    files_ = std::make_unique<SimulatedFiles>();
    MustOpen();
    Append("first");
    const std::string text(200 << 10, 'x');  // over three ends of segments
    Append(text);
    while (journal_->tail() <= BeginOf(4)) Append("");
    size_t steps = 0;
    FaultyFiles live(*files_, [&](FileStep, const std::string&) {
      if (steps++ == at_step) {
        EXPECT_EQ(Retain({.before = BeginOf(4)}).first, BeginOf(4));
      }
      return absl::OkStatus();
    });
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, live);
    ASSERT_TRUE(reader.ok()) << reader.status();
    History history = reader->Replay({.from = Position(1)});
    std::vector<size_t> lengths;
    while (const Record* record = history.Next()) {
      if (record->bytes().size() > 5) {
        ASSERT_EQ(std::string(reinterpret_cast<const char*>(record->bytes().data()),
                              record->bytes().size()),
                  text);
        ++whole;
      }
    }
    if (!history.status().ok()) {
      ASSERT_TRUE(absl::IsOutOfRange(history.status())) << history.status();
      ++retired;
    }
    if (steps <= at_step) break;
  }
  EXPECT_GT(whole, 1u);
  EXPECT_GT(retired, 3u);
}

// Between the look at the slot and the look at the part.
TEST_F(JournalChangingTest, APartWhoseLengthChangesAfterItsSlotWasReadIsNone) {
  std::vector<std::byte> segment(kSegmentBytes);
  const SegmentView view{.data = segment.data(), .units = kSegmentUnits, .begin = 0, .salt = 7};
  const auto put = [&](uint64_t part_bytes) {
    FrameHeader part = EncodeBlockPart(
        BlockPart{.total_bytes = 1 << 20, .offset = 0, .bytes = part_bytes, .crc32c = 0}, 0);
    part.crc32c ^= PlaceMask(view.salt, 1);
    std::memcpy(&segment[kFrameUnitBytes], &part, sizeof(part));
  };
  put(100);
  const Slot slot = view.PeekSlot(1);
  ASSERT_EQ(slot.kind, SlotKind::kBlock);
  EXPECT_EQ(PartIn(view, 1, slot).value().bytes, 100u);
  for (const uint64_t other : {uint64_t{0}, uint64_t{200}, uint64_t{1} << 20, ~uint64_t{0}}) {
    put(other);
    EXPECT_FALSE(PartIn(view, 1, slot).has_value()) << other;
  }
}

}  // namespace
}  // namespace bitactor::test
