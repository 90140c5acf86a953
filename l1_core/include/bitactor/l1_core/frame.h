// The frame: the one format in which a message lives in a lane, a journal and on a wire.
#ifndef BITACTOR_L1_CORE_FRAME_H_
#define BITACTOR_L1_CORE_FRAME_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bitactor/l1_core/crc32c.h"

namespace bitactor {

inline constexpr size_t kCacheLineBytes = 64;

// What a frame is. Values are stored in journals: append only, never 0 (0 marks storage that was
// never written).
enum class FrameKind : uint8_t {
  kNone = 0,    // not a frame
  kCast = 1,    // one-way message
  kCall = 2,    // request that expects a reply; its message_id is the reply's correlation_id
  kReply = 3,   // answer to a call; with kFlagError the payload is an error
  kTimer = 4,   // a timer or a timeout that fired
  kSystem = 5,  // for the runtime itself: spawn, crash, exit, monitor, boot
  kBlock = 6,   // a part of a record over 128 bytes; journals alone, see kFlagBlock
  kRecord = 7,  // bytes of a user of the journal alone
  kFooter = 8,  // end of a sealed journal segment
  kGap = 9,     // what stood here in a journal is lost
};
inline constexpr FrameKind kLastFrameKind = FrameKind::kGap;

inline constexpr size_t kMaxPayloadBytes = 128;
inline constexpr size_t kFrameUnitBytes =
    64;  // frames are aligned to this and stored in multiples of it

// Bits of FrameHeader::flags (6 bits beside the 2 of the priority).
inline constexpr uint8_t kFlagError = 1;  // a reply that carries an error instead of a value
inline constexpr uint8_t kFlagBlock = 2;  // the payload is a block of a journal; set by the journal
inline constexpr uint8_t kFlagSignal = 4;  // a cast of the runtime (DOWN): never refused or shed
// Its trace is not sampled: it leaves a span only if it fails or is slow. What it causes has it too.
inline constexpr uint8_t kFlagUnsampled = 16;
// A cast whose sender waits until it is journalled; correlation_id is the port that is told.
inline constexpr uint8_t kFlagAcknowledge = 32;

// 64 bytes, little-endian. `crc32c` covers bytes 4 to 64 + size and travels end to end: the sender
// seals the frame once, every reader checks it, nobody computes it anew.
struct FrameHeader {
  uint32_t crc32c;
  uint8_t size_bytes;  // of the payload in use, 0 to 128
  FrameKind kind;
  uint8_t priority : 2;
  uint8_t flags : 6;
  uint8_t target_generation;  // a stale reference never reaches a stranger
  uint64_t message_id;        // incarnation:16, sequence:48, unique per source
  uint64_t correlation_id;    // call <-> reply
  uint64_t stamp_ns;          // hybrid logical clock, ns since 1970
  uint64_t trace;             // local trace id, 0 = none
  uint64_t parent_span;       // span under which it was sent, 0 = root
  uint32_t type;              // hash of the payload type's declared name and version
  uint32_t deadline_us;       // relative to stamp, 0 = none
  uint32_t source;            // actor id
  uint32_t target;            // actor id
};
static_assert(sizeof(FrameHeader) == 64);
static_assert(offsetof(FrameHeader, message_id) == 8 && offsetof(FrameHeader, stamp_ns) == 24 &&
              offsetof(FrameHeader, type) == 48 && offsetof(FrameHeader, target) == 60);

// A slot that holds any frame. Bytes of the payload beyond size_bytes are not part of the frame.
struct alignas(kCacheLineBytes) Frame {
  FrameHeader header;
  std::byte payload[kMaxPayloadBytes];
};
static_assert(sizeof(Frame) == 192);

// Stored length of a frame with this payload: 64, 128 or 192 bytes.
constexpr size_t StoredBytes(size_t payload_bytes) {
  return kFrameUnitBytes +
         (payload_bytes + kFrameUnitBytes - 1) / kFrameUnitBytes * kFrameUnitBytes;
}

// CRC-32C over bytes 4 to 64 + size. REQUIRES: frame.header.size_bytes <= kMaxPayloadBytes.
inline uint32_t FrameChecksum(const FrameHeader& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
  // In the words in which a header is written, without a loop: its length is known.
  uint32_t half;
  std::memcpy(&half, bytes + 4, 4);
  internal::Crc32cState state = internal::Crc32cStep4(~uint32_t{0}, half);
  const auto step = [&](size_t at) {
    uint64_t word;
    std::memcpy(&word, bytes + at, 8);
    state = internal::Crc32cStep8(state, word);
  };
#pragma GCC unroll 7
  for (size_t at = 8; at < sizeof(FrameHeader); at += 8) step(at);
  const size_t end = sizeof(FrameHeader) + header.size_bytes;
  size_t at = sizeof(FrameHeader);
  for (; at + 8 <= end; at += 8) step(at);
  for (; at < end; ++at) {
    state = internal::Crc32cStep1(static_cast<uint32_t>(state), bytes[at]);
  }
  return ~static_cast<uint32_t>(state);
#else
  return Crc32c(0, bytes + sizeof(uint32_t),
                sizeof(FrameHeader) - sizeof(uint32_t) + header.size_bytes);
#endif
}

// Makes the frame readable by others. The last thing its sender does; nothing but the checksum may
// change later.
inline void Seal(Frame& frame) { frame.header.crc32c = FrameChecksum(frame.header); }

// The checksums of four frames, advanced in turn: one checksum is a chain of steps that wait for
// each other, four chains keep the unit busy. Inline, or the arrays would be in memory. REQUIRES: each
// size_bytes <= kMaxPayloadBytes.
[[gnu::always_inline]] inline void FrameChecksums4(const FrameHeader* const headers[4],
                                                   uint32_t checksums[4]) {
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
  // Four variables and not an array, which the compiler would keep in memory.
  const auto* bytes0 = reinterpret_cast<const uint8_t*>(headers[0]);
  const auto* bytes1 = reinterpret_cast<const uint8_t*>(headers[1]);
  const auto* bytes2 = reinterpret_cast<const uint8_t*>(headers[2]);
  const auto* bytes3 = reinterpret_cast<const uint8_t*>(headers[3]);
  const auto begin = [](const uint8_t* bytes) -> internal::Crc32cState {
    uint32_t word;
    std::memcpy(&word, bytes + 4, 4);
    return internal::Crc32cStep4(~uint32_t{0}, word);
  };
  internal::Crc32cState state0 = begin(bytes0), state1 = begin(bytes1), state2 = begin(bytes2),
                        state3 = begin(bytes3);
  const auto step = [&](size_t at) {
    const auto one = [at](internal::Crc32cState& state, const uint8_t* bytes) {
      uint64_t word;
      std::memcpy(&word, bytes + at, 8);
      state = internal::Crc32cStep8(state, word);
    };
    one(state0, bytes0);
    one(state1, bytes1);
    one(state2, bytes2);
    one(state3, bytes3);
  };
#pragma GCC unroll 7
  for (size_t at = 8; at < sizeof(FrameHeader); at += 8) step(at);
  const size_t size0 = headers[0]->size_bytes, size1 = headers[1]->size_bytes,
               size2 = headers[2]->size_bytes, size3 = headers[3]->size_bytes;
  const size_t common_bytes = std::min(std::min(size0, size1), std::min(size2, size3));
  const size_t end = sizeof(FrameHeader) + common_bytes / 8 * 8;
  for (size_t at = sizeof(FrameHeader); at < end; at += 8) step(at);
  checksums[0] = ~static_cast<uint32_t>(state0);
  checksums[1] = ~static_cast<uint32_t>(state1);
  checksums[2] = ~static_cast<uint32_t>(state2);
  checksums[3] = ~static_cast<uint32_t>(state3);
  if ((size0 | size1 | size2 | size3) == end - sizeof(FrameHeader)) return;  // no frame has a rest
  for (int i = 0; i < 4; ++i) {
    checksums[i] = Crc32c(checksums[i], reinterpret_cast<const uint8_t*>(headers[i]) + end,
                          sizeof(FrameHeader) + headers[i]->size_bytes - end);
  }
#else
  for (int i = 0; i < 4; ++i) checksums[i] = FrameChecksum(*headers[i]);
#endif
}

// Why a frame cannot be trusted. Nothing but the bytes themselves may be used of a frame that is
// not kOk.
enum class FrameFault : uint8_t {
  kOk = 0,
  kSize,  // size_bytes over 128
  kKind,  // kind 0 or over the last one
  kCrc,   // checksum does not match
};

// What is wrong apart from the checksum.
inline FrameFault CheckFrameShape(const FrameHeader& header) {
  if (header.size_bytes > kMaxPayloadBytes) return FrameFault::kSize;
  if (header.kind == FrameKind::kNone || header.kind > kLastFrameKind) return FrameFault::kKind;
  return FrameFault::kOk;
}

inline FrameFault CheckFrame(const FrameHeader& header) {
  const FrameFault fault = CheckFrameShape(header);
  if (fault != FrameFault::kOk) return fault;
  return FrameChecksum(header) == header.crc32c ? FrameFault::kOk : FrameFault::kCrc;
}

// message_id = incarnation:16, sequence:48.
inline constexpr uint64_t kSequenceMask = (uint64_t{1} << 48) - 1;
constexpr uint64_t MakeMessageId(uint16_t incarnation, uint64_t sequence) {
  return (static_cast<uint64_t>(incarnation) << 48) | (sequence & kSequenceMask);
}
constexpr uint64_t SequenceOf(uint64_t message_id) { return message_id & kSequenceMask; }
constexpr uint16_t IncarnationOf(uint64_t message_id) {
  return static_cast<uint16_t>(message_id >> 48);
}

// A strong bit mixer (the finalizer of splitmix64): every input bit reaches every output bit. For
// slots, span ids and digests, which must be the same in every process; not against attackers.
constexpr uint64_t Mix64(uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ull;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBull;
  x ^= x >> 31;
  return x;
}

// The span id of a message, derived and never stored. Never 0.
constexpr uint64_t SpanIdOf(uint32_t source, uint64_t message_id) {
  const uint64_t id = Mix64(message_id ^ (static_cast<uint64_t>(source) * 0x9E3779B97F4A7C15ull));
  return id != 0 ? id : 1;
}

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FRAME_H_
