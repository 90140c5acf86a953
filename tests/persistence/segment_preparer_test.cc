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
    EXPECT_TRUE(files_->CreateDir(kDir).ok());
    JournalOptions options = Options();
    return {.files = &files,
            .dir = kDir,
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

TEST_F(SegmentPreparerTest, AWriterThatWaitsGetsTheSegmentAsItIs) {
  SegmentPreparer preparer(Maker(counted_), 0, tail_, /*keeps_pages_ready=*/true);
  const absl::StatusOr<Segment> taken = preparer.Take();
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->header.segment_index, 0u);
  EXPECT_EQ(writes_, 2);  // its header, in two halves
}

}  // namespace
}  // namespace bitactor::test
