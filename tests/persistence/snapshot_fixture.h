// Snapshots in simulated files.
#ifndef BITACTOR_TESTS_PERSISTENCE_SNAPSHOT_FIXTURE_H_
#define BITACTOR_TESTS_PERSISTENCE_SNAPSHOT_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/persistence/snapshot_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support/faulty_files.h"
#include "support/simulated_files.h"

namespace bitactor::test {

class SnapshotFixture : public ::testing::Test {
 protected:
  const std::string kDir = "snapshots";

  static std::span<const std::byte> AsBytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }
  static std::string Text(const Snapshot& snapshot) {
    return {reinterpret_cast<const char*>(snapshot.state.data()), snapshot.state.size()};
  }

  SnapshotOptions Options(uint32_t keep = 3) {
    return {.keep = keep, .files = files_.get(), .now_ns = [] { return uint64_t{1}; }};
  }
  SnapshotStore MustOpen(SnapshotOptions options) {
    absl::StatusOr<SnapshotStore> store = SnapshotStore::Open(kDir, std::move(options));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  SnapshotStore MustOpen() { return MustOpen(Options()); }

  // State "s<position>" of key 7.
  static absl::Status WriteAt(SnapshotStore& store, uint64_t position) {
    return store.Write(7, Position(position), position * 1000,
                       AsBytes("s" + std::to_string(position)));
  }
  static void MustWriteAt(SnapshotStore& store, uint64_t position) {
    const absl::Status status = WriteAt(store, position);
    ASSERT_TRUE(status.ok()) << status;
  }
  static std::string FileOf(uint64_t key, uint64_t position) {
    return absl::StrFormat("snapshots/%020d-%020d.snap", key, position);
  }
  static std::vector<uint64_t> Positions(SnapshotStore& store) {
    std::vector<uint64_t> positions;
    const absl::StatusOr<std::vector<SnapshotFile>> files = store.List();
    for (const SnapshotFile& file : files.value()) positions.push_back(file.position.value());
    return positions;
  }

  std::unique_ptr<SimulatedFiles> files_ = std::make_unique<SimulatedFiles>();
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_PERSISTENCE_SNAPSHOT_FIXTURE_H_
