#include "segment_preparer.h"

#include <atomic>
#include <string>

#include "persistence/journal_fixture.h"
#include "support/faulty_files.h"

namespace bitactor::test {
namespace {

using bitactor::internal::Segment;
using bitactor::internal::SegmentMaker;
using bitactor::internal::SegmentPreparer;

constexpr uint64_t kBytes = 4 << 20;

class SegmentPreparerTest : public JournalFixture {
 protected:
  SegmentMaker Maker(FileSystem& files) {
    JournalOptions options = Options();
    return {.files = &files,
            .dir = ".",
            .segment_bytes = kBytes,
            .owner_number = 0,
            .random = options.random,
            .now_ns = options.now_ns};
  }

  std::atomic<uint64_t> tail_ = 1;
  std::atomic<int> writes_ = 0;
  FaultyFiles counted_{*files_, [this](FileStep step, const std::string&) {
                         if (step == FileStep::kWrite) ++writes_;
                         return absl::OkStatus();
                       }};
};

TEST_F(SegmentPreparerTest, ASegmentIsMadeReadyBeforeItIsNeeded) {
  SegmentPreparer preparer(Maker(counted_), 0, tail_, /*keeps_pages_ready=*/true);
  preparer.Wake(/*want_next=*/true);
  while (writes_ < 10) std::this_thread::yield();  // header and four pieces, each in two halves
  EXPECT_EQ(preparer.Take()->header.segment_index, 0u);
  EXPECT_EQ(writes_, 10);
}

TEST_F(SegmentPreparerTest, AWriterThatWaitsGetsTheSegmentAsItIs) {
  SegmentPreparer preparer(Maker(counted_), 0, tail_, /*keeps_pages_ready=*/true);
  EXPECT_EQ(preparer.Take()->header.segment_index, 0u);
  EXPECT_EQ(writes_, 2);  // its header, in two halves
}

}  // namespace
}  // namespace bitactor::test
