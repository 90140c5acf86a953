// Where each library's benchmark rows register.
#ifndef BITACTOR_BENCH_ROWS_H_
#define BITACTOR_BENCH_ROWS_H_

#include "bench/harness.h"

namespace bitactor::bench {

void RegisterMachineRows(Registry& registry);          // machine_bench.cc
void RegisterMachinePairRows(Registry& registry);      // machine_pair_bench.cc: two cores
void RegisterL1CoreRows(Registry& registry);           // l1_core_bench.cc
void RegisterL1QueueRows(Registry& registry);          // l1_queue_bench.cc: two cores
void RegisterTracingRows(Registry& registry);          // tracing_bench.cc
void RegisterPersistenceRows(Registry& registry);      // persistence_bench.cc
void RegisterPersistenceTailRows(Registry& registry);  // persistence_tail_bench.cc
void RegisterDurabilityRows(Registry& registry);       // durability_bench.cc
void RegisterL2MailboxRows(Registry& registry);        // l2_mailbox_bench.cc
void RegisterFabricRows(Registry& registry);           // fabric_bench.cc
void RegisterBlockRows(Registry& registry);            // block_bench.cc
void RegisterMergeRows(Registry& registry);            // merge_bench.cc
void RegisterCrossCoreRows(Registry& registry);        // cross_core_bench.cc: two cores
void RegisterL3GenactorRows(Registry& registry);       // l3_genactor_bench.cc

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_ROWS_H_
