// Journals of a set in memory, with records of any header.
#ifndef BITACTOR_TESTS_TOOLS_JOURNAL_SET_FIXTURE_H_
#define BITACTOR_TESTS_TOOLS_JOURNAL_SET_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/persistence/journal.h"
#include "cli/journal_merge.h"
#include "support/simulated_files.h"

namespace bitactor::test {

// 2026-01-02 03:04:05 UTC.
inline constexpr uint64_t kStampNs = 1'767'323'045'000'000'000;

struct Put {
  uint32_t shard = 0;
  uint64_t stamp_ns = kStampNs;
  FrameKind kind = FrameKind::kCast;
  uint32_t type = 0x12345678;
  uint32_t source = 1;
  uint32_t target = 2;
};

class JournalSetFixture : public ::testing::Test {
 protected:
  JournalSetFixture() { EXPECT_TRUE(files_.CreateDir(kSet).ok()); }

  Journal& JournalOf(uint32_t shard) {
    auto found = journals_.find(shard);
    if (found != journals_.end()) return found->second;
    JournalOptions options;
    options.segment_bytes = 64 << 10;
    options.owner_number = shard;
    options.prepare_ahead = false;
    options.files = &files_;
    options.random = [this] { return ++random_; };
    options.now_ns = [] { return kStampNs; };
    absl::StatusOr<Journal> journal = Journal::Open(ShardJournalDir(kSet, shard), options);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journals_.emplace(shard, *std::move(journal)).first->second;
  }

  // Returns its place, "SHARD:POSITION".
  std::string Append(const Put& put, std::string_view payload = "") {
    Frame frame{};
    frame.header.size_bytes = static_cast<uint8_t>(payload.size());
    frame.header.kind = put.kind;
    frame.header.message_id = MakeMessageId(1, ++sequence_);
    frame.header.stamp_ns = put.stamp_ns;
    frame.header.type = put.type;
    frame.header.source = put.source;
    frame.header.target = put.target;
    std::memcpy(frame.payload, payload.data(), payload.size());
    Seal(frame);
    const Position position = JournalOf(put.shard).AppendFrame(frame.header);
    EXPECT_NE(position, Position::None());
    return absl::StrCat(put.shard, ":", position.ToString());
  }
  template <typename M>
  std::string AppendMessage(const M& message, Put put = {}) {
    put.type = TypeId<M>();
    return Append(put, std::string_view(reinterpret_cast<const char*>(&message), sizeof(M)));
  }

  static std::string PlaceOf(const cli::PlacedRecord& placed) {
    return absl::StrCat(placed.shard, ":", placed.record->position().ToString());
  }

  cli::JournalMerge MustMerge(cli::RecordFilter filter = {}) {
    absl::StatusOr<cli::JournalMerge> merge = cli::JournalMerge::Open(files_, kSet, filter);
    EXPECT_TRUE(merge.ok()) << merge.status();
    return *std::move(merge);
  }
  static std::vector<std::string> RestOf(cli::JournalMerge& merge) {
    std::vector<std::string> places;
    while (const auto next = merge.Next()) places.push_back(PlaceOf(*next));
    return places;
  }

  static inline const std::string kSet = "set";
  SimulatedFiles files_;
  uint64_t random_ = 0;
  uint64_t sequence_ = 0;
  std::map<uint32_t, Journal> journals_;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TOOLS_JOURNAL_SET_FIXTURE_H_
