// A small fabric that the test's thread drives, on a clock of the test.
#ifndef BITACTOR_TESTS_L2_MAILBOX_DRIVEN_FABRIC_H_
#define BITACTOR_TESTS_L2_MAILBOX_DRIVEN_FABRIC_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "bitactor/l2_mailbox/fabric.h"
#include "gtest/gtest.h"

namespace bitactor::test {

// Nothing is journalled until journal_dir is set.
inline FabricOptions DrivenOptions(const TickClock& clock, uint32_t shards) {
  FabricOptions options;
  options.shards = shards;
  options.mailboxes = 6;
  options.threads = false;
  options.clock = &clock;
  options.start_time_ns = 1'000'000'000;
  options.span_capacity = 1024;
  options.journal.prepare_ahead = false;
  return options;
}
// With journals in "run", in small segments.
inline FabricOptions DrivenOptions(const TickClock& clock, uint32_t shards, FileSystem& files) {
  FabricOptions options = DrivenOptions(clock, shards);
  options.journal_dir = "run";
  options.journal.files = &files;
  options.journal.segment_bytes = 64 << 10;
  return options;
}

inline std::unique_ptr<Fabric> MustStart(FabricOptions options) {
  auto fabric = Fabric::Start(std::move(options));
  EXPECT_TRUE(fabric.ok()) << fabric.status();
  return *std::move(fabric);
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_L2_MAILBOX_DRIVEN_FABRIC_H_
