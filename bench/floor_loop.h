// The floor: the least that any program pays to move, check, keep and trace the bytes of a message.
#ifndef BITACTOR_BENCH_FLOOR_LOOP_H_
#define BITACTOR_BENCH_FLOOR_LOOP_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "bench/harness.h"
#include "bench/optimizer_guard.h"
#include "bench/warm_mapping.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor::bench {

// Storage as warm as a journal's: 64 MiB, used round and round.
inline constexpr size_t kWarmStoreBytes = size_t{64} << 20;

// Stores a sealed frame at `at` the way a journal must: the body first, then the first 8 bytes, the
// commit word, with one release store. REQUIRES: stored_bytes is 64, 128 or 192.
inline void StoreFrame(std::byte* at, const FrameHeader& header, size_t stored_bytes) {
  const auto* from = reinterpret_cast<const std::byte*>(&header);
  uint64_t commit_word;
  std::memcpy(&commit_word, from, sizeof(commit_word));
  std::memcpy(at + sizeof(commit_word), from + sizeof(commit_word),
              stored_bytes - sizeof(commit_word));
  // SYNC(floor-commit): whoever reads a commit word (acquire) finds the body below it; here only
  // its cost is wanted, nobody reads it back.
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(at))
      .store(commit_word, std::memory_order_release);
}

// Begins a frame's checksum with bytes 4 to 8, in the register form that Crc32cStep8 continues. The
// words after it are then aligned like the stores that made the frame: a load that takes parts of
// two recent stores waits until both have left the store buffer, and a checksum that begins at byte
// 4 in steps of 8 is made of such loads only (44 instead of 31 ns a message here).
inline uint32_t BeginChecksum(const FrameHeader& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
#if defined(__SSE4_2__)
  uint32_t word;
  std::memcpy(&word, bytes + sizeof(word), sizeof(word));
  return _mm_crc32_u32(~0u, word);
#elif defined(__ARM_FEATURE_CRC32)
  uint32_t word;
  std::memcpy(&word, bytes + sizeof(word), sizeof(word));
  return __crc32cw(~0u, word);
#else
  return ~Crc32cPortable(0, bytes + sizeof(uint32_t), sizeof(uint32_t));
#endif
}

// FrameChecksum() of kFrames frames of one payload size, a step of each in turn: the instruction
// takes three cycles but starts every cycle.
template <size_t kPayloadBytes, size_t kFrames>
std::array<uint32_t, kFrames> FloorChecksums(const std::array<const Frame*, kFrames>& frames) {
  static_assert(kPayloadBytes % 8 == 0);
  std::array<internal::Crc32cState, kFrames> states;
  for (size_t i = 0; i < kFrames; ++i) states[i] = BeginChecksum(frames[i]->header);
#pragma GCC unroll 24
  for (size_t at = 8; at < sizeof(FrameHeader) + kPayloadBytes; at += 8) {
    for (size_t i = 0; i < kFrames; ++i) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(frames[i]);
      if constexpr (internal::kHasCrc32cInstruction) {
        uint64_t word;
        std::memcpy(&word, bytes + at, sizeof(word));
        states[i] = internal::Crc32cStep8(states[i], word);
      } else {
        states[i] = ~Crc32cPortable(~static_cast<uint32_t>(states[i]), bytes + at, 8);
      }
    }
  }
  std::array<uint32_t, kFrames> checksums;
  for (size_t i = 0; i < kFrames; ++i) checksums[i] = ~static_cast<uint32_t>(states[i]);
  return checksums;
}

// One thread, batches of 16: build each message in place in a ring slot, seal them four at a time,
// show the batch with one release store; read the tail, check each message, store it in a warm
// mapping, record a 64-byte span; one clock read a batch. Nothing is decided, looked up, merged or
// counted, no handler is called, and the payload's size is known to the compiler.
template <size_t kPayloadBytes>
class FloorLoop {
 public:
  FloorLoop(const TickClock& clock, std::unique_ptr<WarmMapping> store)
      : clock_(clock),
        store_(std::move(store)),
        ring_(std::make_unique<Frame[]>(kRingSlots)),
        spans_(std::make_unique<Span[]>(kSpanSlots)) {}

  // REQUIRES: messages is a multiple of kBatch.
  Sample Run(uint64_t messages) {
    store_->Warm();
    const uint64_t start = clock_.Now();
    now_ = start;
    for (uint64_t done = 0; done < messages; done += kBatch) {
      SendBatch();
      ReceiveBatch();
    }
    return NsPerOperation(clock_.NanosIn(clock_.Now() - start), messages);
  }
  // Messages that arrived otherwise than they were sent: none, unless the loop is wrong.
  uint64_t faults() const { return faults_; }

  static constexpr uint64_t kBatch = 16;

 private:
  static constexpr uint64_t kRingSlots = 1024;
  static constexpr uint64_t kSpanSlots = 65'536;
  static constexpr size_t kStoredBytes = StoredBytes(kPayloadBytes);

  struct alignas(kCacheLineBytes) Span {
    uint64_t trace, span, parent_span, sent_ns, start;
    uint32_t duration, source, target, type;
    uint64_t kind;
  };
  static_assert(sizeof(Span) == 64);

  static constexpr uint64_t kSealedTogether = 4;
  static_assert(kBatch % kSealedTogether == 0 && kRingSlots % kBatch == 0);

  Frame& SlotOf(uint64_t index) { return ring_[index & (kRingSlots - 1)]; }

  void Build(uint64_t index) {
    Frame& frame = SlotOf(index);
    const uint64_t sequence = index + 1;
    frame.header = {.crc32c = 0,
                    .size_bytes = kPayloadBytes,
                    .kind = FrameKind::kCast,
                    .priority = 1,
                    .flags = 0,
                    .target_generation = 1,
                    .message_id = MakeMessageId(1, sequence),
                    .correlation_id = 0,
                    .stamp_ns = now_ + (index & (kBatch - 1)),
                    .trace = 1,
                    .parent_span = sequence,
                    .type = 0x1234'5678,
                    .deadline_us = 0,
                    .source = 1,
                    .target = 2};
    payload_[0] = sequence;
    std::memcpy(frame.payload, payload_.data(), kPayloadBytes);
  }

  void SealFrom(uint64_t index) {
    std::array<const Frame*, kSealedTogether> frames;
    for (uint64_t i = 0; i < kSealedTogether; ++i) frames[i] = &SlotOf(index + i);
    const auto checksums = FloorChecksums<kPayloadBytes>(frames);
    for (uint64_t i = 0; i < kSealedTogether; ++i) SlotOf(index + i).header.crc32c = checksums[i];
  }

  void SendBatch() {
    for (uint64_t i = 0; i < kBatch; i += kSealedTogether) {
      for (uint64_t j = 0; j < kSealedTogether; ++j) Build(sent_ + i + j);
      SealFrom(sent_ + i);
    }
    sent_ += kBatch;
    // SYNC(floor-tail): what a lane's publish costs; both ends are this thread.
    tail_.store(sent_, std::memory_order_release);
  }

  static bool IsWhole(const Frame& frame) {
    const FrameHeader& header = frame.header;
    return header.size_bytes <= kMaxPayloadBytes && header.kind != FrameKind::kNone &&
           header.kind <= kLastFrameKind &&
           FloorChecksums<kPayloadBytes, 1>({&frame})[0] == header.crc32c;
  }

  void ReceiveBatch() {
    // SYNC(floor-tail)
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    ClobberMemory();  // the slots are read anew, as a receiver would
    const uint64_t end = clock_.Now();
    for (; received_ < tail; ++received_) {
      const Frame& frame = SlotOf(received_);
      const FrameHeader& header = frame.header;
      if (!IsWhole(frame)) [[unlikely]] {
        ++faults_;
        continue;
      }
      StoreFrame(store_->data() + stored_, header, kStoredBytes);
      stored_ += kStoredBytes;
      if (stored_ > kWarmStoreBytes - sizeof(Frame)) stored_ = 0;
      spans_[received_ & (kSpanSlots - 1)] = {.trace = header.trace,
                                              .span = SpanIdOf(header.source, header.message_id),
                                              .parent_span = header.parent_span,
                                              .sent_ns = header.stamp_ns,
                                              .start = now_,
                                              .duration = static_cast<uint32_t>(end - now_),
                                              .source = header.source,
                                              .target = header.target,
                                              .type = header.type,
                                              .kind = static_cast<uint64_t>(header.kind)};
    }
    now_ = end;
    ClobberMemory();
  }

  const TickClock& clock_;
  const std::unique_ptr<WarmMapping> store_;
  const std::unique_ptr<Frame[]> ring_;
  const std::unique_ptr<Span[]> spans_;
  std::array<uint64_t, (kPayloadBytes + 7) / 8> payload_{};
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  uint64_t now_ = 0;
  size_t stored_ = 0;
  uint64_t faults_ = 0;
  alignas(kCacheLineBytes) std::atomic<uint64_t> tail_{0};
};

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_FLOOR_LOOP_H_
