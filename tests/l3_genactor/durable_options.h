// A durable system without threads, on simulated files and a clock of the test's.
#ifndef BITACTOR_TESTS_L3_GENACTOR_DURABLE_OPTIONS_H_
#define BITACTOR_TESTS_L3_GENACTOR_DURABLE_OPTIONS_H_

#include <cstdint>

#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l3_genactor/system.h"
#include "support/simulated_files.h"

namespace bitactor::test {

// Small in all respects, so that a test can start it hundreds of times.
inline SystemOptions DurableOptions(SimulatedFiles* files, TickClock* clock,
                                    uint32_t mailboxes = 8) {
  SystemOptions options;
  options.shards = 2;
  options.durable = "run";
  options.fabric.threads = false;
  options.fabric.clock = clock;
  options.fabric.start_time_ns = 1'000'000'000;
  options.fabric.span_capacity = 64;
  options.fabric.mailboxes = mailboxes;
  options.fabric.journal.files = files;
  options.fabric.journal.prepare_ahead = false;
  options.fabric.journal.segment_bytes = 64 << 10;
  return options;
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_L3_GENACTOR_DURABLE_OPTIONS_H_
