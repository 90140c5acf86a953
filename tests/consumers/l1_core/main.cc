// A program outside this repository that uses the installed l1_core and nothing else: it seals a
// frame in a lane, reads it back on the other side and refuses a damaged one.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l1_core/tick_clock.h"

namespace {

int Fail(const char* what) {
  std::fprintf(stderr, "l1_core consumer: %s\n", what);
  return 1;
}

}  // namespace

int main() {
  bitactor::TickClock clock(bitactor::TickClock::Source::kManual, 1'000);
  bitactor::SpscLane<bitactor::Frame> lane(2);
  const uint64_t price = 4711;

  bitactor::Frame* slot = lane.Claim();
  if (slot == nullptr) return Fail("an empty lane refused a frame");
  slot->header = {.size_bytes = sizeof(price),
                  .kind = bitactor::FrameKind::kCast,
                  .stamp_ns = clock.NowNanos()};
  std::memcpy(slot->payload, &price, sizeof(price));
  bitactor::Seal(*slot);
  lane.Advance();
  if (lane.ReadTail() != 0) return Fail("a frame was visible before Publish()");
  lane.Publish();

  if (lane.ReadTail() != 1) return Fail("a published frame is not visible");
  bitactor::Frame& read = lane.At(0);
  if (bitactor::CheckFrame(read.header) != bitactor::FrameFault::kOk)
    return Fail("a sealed frame does not check");
  uint64_t read_price = 0;
  std::memcpy(&read_price, read.payload, sizeof(read_price));
  if (read_price != price) return Fail("the payload is not what was sent");

  // From the library itself, not from a header: the portable checksum and the manual clock.
  const auto* bytes = reinterpret_cast<const uint8_t*>(&read);
  if (bitactor::Crc32cPortable(0, bytes + 4, 60 + sizeof(price)) != read.header.crc32c)
    return Fail("portable and inline checksum differ");
  clock.Advance(500);
  if (clock.NowNanos() - read.header.stamp_ns != 500) return Fail("the manual clock did not move");

  read.payload[0] ^= std::byte{1};
  if (bitactor::CheckFrame(read.header) != bitactor::FrameFault::kCrc)
    return Fail("a flipped bit was not seen");
  lane.Release(1);
  std::puts("l1_core consumer: ok");
  return 0;
}
