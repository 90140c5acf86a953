// Any bytes in a lane as frames: a real shard checks, merges, journals and dispatches them. Nothing
// crashes, every frame is counted once, and what was quarantined is what a plain check calls faulty.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "bitactor/l1_core/check.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "fuzz::Number";
  uint64_t value;
};

// What an outside port's lane may carry, frame by frame.
class Oracle {
 public:
  explicit Oracle(uint32_t source) : source_(source) {}

  bool IsSound(const Frame& frame) {
    const FrameHeader& header = frame.header;
    if (CheckFrame(header) != FrameFault::kOk || header.kind > FrameKind::kSystem) return false;
    if (header.source != source_ || header.message_id <= message_id_) return false;
    if (header.stamp_ns <= stamp_ns_ || header.stamp_ns > INT64_MAX) return false;
    message_id_ = header.message_id;
    stamp_ns_ = header.stamp_ns;
    return true;
  }

 private:
  const uint32_t source_;
  uint64_t message_id_ = 0;
  uint64_t stamp_ns_ = 0;
};

FabricOptions Options(const TickClock& clock, SimulatedFiles& files) {
  FabricOptions options;
  options.threads = false;
  options.clock = &clock;
  options.start_time_ns = 1'000'000;
  options.lane_slots = 16;
  options.mailboxes = 1;
  options.span_capacity = 64;
  options.quarantine_frames = 8;
  options.journal_dir = "run";
  options.journal.files = &files;
  options.journal.prepare_ahead = false;
  options.journal.segment_bytes = 64 << 10;
  return options;
}

// Each message of the input: a byte of choices, then up to 192 bytes laid over a frame as the port
// would send it. So inputs get behind the checks of what they leave alone.
void Try(const uint8_t* data, size_t size_bytes) {
  const TickClock clock(TickClock::Source::kManual, 5'000);
  SimulatedFiles files;
  auto fabric = Fabric::Start(Options(clock, files)).value();
  uint64_t handled = 0;
  const Address store = fabric->Serve("store", [&](const Message& m, Sender& out) {
    handled += m.As<Number>().value != 1;
    if (m.kind() == FrameKind::kCall) out.Reply(Number{1});
  });
  const Address waiting = fabric->Intern("waiting");
  Port port = fabric->OpenPort();
  Oracle oracle(port.core()->id());
  uint64_t number = 0;
  uint64_t faulty = 0;
  while (size_bytes >= 2) {
    const uint8_t choices = data[0];
    const uint8_t begin = data[1];
    const size_t length = std::min<size_t>(
        {choices & 31u, size_bytes - 2, sizeof(Frame) - std::min<size_t>(begin, sizeof(Frame))});
    Frame frame{};
    frame.header.size_bytes = sizeof(Number);
    frame.header.kind = (choices & 32) != 0 ? FrameKind::kCall : FrameKind::kCast;
    frame.header.message_id = MakeMessageId(1, ++number);
    frame.header.stamp_ns = 1'000'000 + number;
    frame.header.type = TypeId<Number>();
    frame.header.source = port.core()->id();
    frame.header.target = static_cast<uint32_t>(((choices & 64) != 0 ? waiting : store).id);
    const bool sealed_before = (choices & 128) != 0;
    if (sealed_before) Seal(frame);
    if (length > 0) std::memcpy(reinterpret_cast<uint8_t*>(&frame) + begin, data + 2, length);
    if (!sealed_before && frame.header.size_bytes <= kMaxPayloadBytes) Seal(frame);
    data += 2 + length;
    size_bytes -= 2 + length;
    if (port.core()->SendRaw(0, frame) == SendResult::kOk) faulty += !oracle.IsSound(frame);
    if (number % 8 == 0) fabric->WaitIdle();
  }
  fabric->WaitIdle();
  const FabricCounters counters = fabric->Counters();
  BITACTOR_CHECK(counters.AddUp());
  BITACTOR_CHECK_EQ(counters.quarantined, faulty);
  BITACTOR_CHECK_EQ(fabric->Quarantined().size(), std::min<uint64_t>(faulty, 8));
  BITACTOR_CHECK_LE(handled, counters.delivered);
  BITACTOR_CHECK(fabric->Stop().ok());
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
