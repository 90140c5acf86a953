// A journal in simulated files with everything injected, and the crashes it has to survive.
#ifndef BITACTOR_TESTS_PERSISTENCE_JOURNAL_FIXTURE_H_
#define BITACTOR_TESTS_PERSISTENCE_JOURNAL_FIXTURE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support/simulated_files.h"

namespace bitactor::test {

inline std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::vector<std::string> TextsOf(History history) {
  std::vector<std::string> texts;
  for (const Record& record : history) {
    texts.emplace_back(reinterpret_cast<const char*>(record.bytes().data()), record.bytes().size());
  }
  if (!history.status().ok()) texts.emplace_back(history.status().message());
  return texts;
}

class JournalFixture : public ::testing::Test {
 protected:
  static constexpr uint64_t kSegmentBytes = 64 << 10;
  static constexpr uint64_t kSegmentUnits = kSegmentBytes / kFrameUnitBytes;
  const std::string kDir = "journal";

  JournalOptions Options() {
    return {.segment_bytes = kSegmentBytes,
            .prepare_ahead = false,
            .files = files_.get(),
            .random = [this] { return Mix64(++randoms_); },
            .now_ns = [this] { return now_ns_ += 1000; }};
  }

  absl::StatusOr<Journal> Open() { return Journal::Open(kDir, Options()); }
  void MustOpen() {
    absl::StatusOr<Journal> opened = Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = std::make_unique<Journal>(*std::move(opened));
  }

  Position Append(std::string_view text) {
    absl::StatusOr<Position> position = journal_->Append(Bytes(text));
    EXPECT_TRUE(position.ok()) << position.status();
    return position.value_or(Position::None());
  }
  // Until `segments` segments are in use; returns what was appended, in order.
  std::vector<std::string> FillSegments(uint32_t segments) {
    std::vector<std::string> texts;
    while (journal_->tail().value() <= (segments - 1) * kSegmentUnits) {
      texts.push_back("record " + std::to_string(texts.size()));
      Append(texts.back());
    }
    return texts;
  }
  std::vector<std::string> Replayed() { return TextsOf(journal_->Replay()); }

  // The process dies: the journal is not closed, and what was stored stays.
  void Kill() {
    old_files_.push_back(std::move(files_));
    files_ = old_files_.back()->AfterKill();
    journal_.reset();
  }

  static std::string SegmentFile(uint32_t index) {
    return absl::StrFormat("journal/%08d.seg", index);
  }
  static uint64_t OffsetOf(Position position) {
    return position.value() % kSegmentUnits * kFrameUnitBytes;
  }

  // What Open() says about damage.
  std::string OpenError(absl::StatusCode code = absl::StatusCode::kDataLoss) {
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  std::unique_ptr<SimulatedFiles> files_ = std::make_unique<SimulatedFiles>();
  std::vector<std::unique_ptr<SimulatedFiles>> old_files_;
  // A helper thread asks, too.
  std::atomic<uint64_t> randoms_ = 0;
  std::atomic<uint64_t> now_ns_ = 1'767'349'323'000'000'000;  // 2026-01-02 10:22:03
  std::unique_ptr<Journal> journal_;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_JOURNAL_FIXTURE_H_
