// A fabric whose journals are in files that lose power, and answers that are read one by one.
#ifndef BITACTOR_TESTS_L2_MAILBOX_DURABILITY_FIXTURE_H_
#define BITACTOR_TESTS_L2_MAILBOX_DURABILITY_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "gtest/gtest.h"
#include "support/simulated_files.h"

namespace bitactor::test {

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

inline FabricOptions DurableOptions(SimulatedFiles& files, const TickClock& clock, Durability level,
                                    uint32_t shards) {
  FabricOptions options;
  options.shards = shards;
  options.mailboxes = 4;
  options.threads = false;
  options.clock = &clock;
  options.start_time_ns = 1'000'000'000;
  options.span_capacity = 64;
  options.quarantine_frames = 16;
  options.journal_dir = "run";
  options.journal.durability = level;
  options.journal.files = &files;
  options.journal.prepare_ahead = false;
  options.journal.segment_bytes = 64 << 10;
  return options;
}

// Calls without waiting, so that several are under way.
template <typename M>
SendResult Ask(Port& port, Address target, const M& request) {
  bitactor::internal::Envelope envelope;
  envelope.kind = FrameKind::kCall;
  envelope.source = port.core()->id();
  envelope.target = target;
  envelope.message_id = port.core()->NextMessageId();
  envelope.type = TypeId<M>();
  const SendResult result = port.core()->Send(envelope, request);
  port.core()->Publish();
  return result;
}

// The answers that the shards gave to this port and that it has not read.
inline std::vector<Frame> AnswersOf(Fabric& fabric, const Port& port, bool take) {
  std::vector<Frame> answers;
  bitactor::internal::PortCore* const core = const_cast<Port&>(port).core();
  bitactor::internal::ReplyLanes* const lanes = fabric.state().reply_lanes[core->index()].load();
  for (const auto& lane : lanes->from_shard) {
    const uint64_t tail = lane->ReadTail();
    for (uint64_t index = lane->released(); index < tail; ++index) {
      answers.push_back(lane->At(index));
      if (!take) continue;
      lane->Release(index + 1);
      core->CountRead();
    }
  }
  return answers;
}
inline std::vector<Frame> TakeAnswers(Fabric& fabric, const Port& port) {
  return AnswersOf(fabric, port, /*take=*/true);
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_L2_MAILBOX_DURABILITY_FIXTURE_H_
