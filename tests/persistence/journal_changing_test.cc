// What a reader of a long record sees while its segments are changed or retired under it.
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "block_format.h"
#include "persistence/retention_fixture.h"
#include "segment_format.h"
#include "support/faulty_files.h"

namespace bitactor::test {
namespace {

using bitactor::internal::BlockPart;
using bitactor::internal::BlockSummary;
using bitactor::internal::EncodeBlockPart;
using bitactor::internal::PlaceMask;
using bitactor::internal::SegmentView;

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

#if !defined( \
    __SANITIZE_THREAD__)  // the stores race with the reader's loads, as another program's do

// A segment in memory, with nothing mapped behind it, and the header of a part of a block in it, whose
// length is another one from moment to moment.
TEST_F(JournalChangingTest, ALengthThatChangesLeadsNotOutOfTheSegment) {
  const size_t page_bytes = 4096;
  void* memory = ::mmap(nullptr, kSegmentBytes + page_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* data = static_cast<std::byte*>(memory);
  ASSERT_EQ(::mprotect(data + kSegmentBytes, page_bytes, PROT_NONE), 0);
  const SegmentView view{.data = data, .units = kSegmentUnits, .begin = 0, .salt = 7};

  constexpr uint64_t kPartBytes = 100, kTotalBytes = 1 << 20, kRecordUnit = 4;
  FrameHeader part = EncodeBlockPart(
      BlockPart{.total_bytes = kTotalBytes, .offset = 0, .bytes = kPartBytes, .crc32c = 0}, 0);
  part.crc32c ^= PlaceMask(view.salt, 1);
  std::memcpy(data + kFrameUnitBytes, &part, sizeof(part));
  Frame record{};
  record.header.size_bytes = sizeof(BlockSummary);
  const BlockSummary summary{.first_part = 1, .total_bytes = kTotalBytes, .chain = 0};
  std::memcpy(record.payload, &summary, sizeof(summary));
  std::memcpy(data + kRecordUnit * kFrameUnitBytes, &record, 2 * kFrameUnitBytes);

  std::atomic<bool> stop = false;
  std::thread writer([&] {
    auto& length =
        *reinterpret_cast<uint64_t*>(data + kFrameUnitBytes + offsetof(FrameHeader, trace));
    while (!stop.load(std::memory_order_relaxed)) {
      std::atomic_ref(length).store(kTotalBytes, std::memory_order_relaxed);
      std::atomic_ref(length).store(kPartBytes, std::memory_order_relaxed);
    }
  });
  std::vector<std::byte> block;
  for (int i = 0; i < 300'000; ++i) {
    const absl::Status status =
        bitactor::internal::ReadBlock(*files_, kDir, view, kRecordUnit, block);
    ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
  ::munmap(memory, kSegmentBytes + page_bytes);
}

#endif

}  // namespace
}  // namespace bitactor::test
