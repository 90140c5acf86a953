// The signal: L1's input, one cache line.
#ifndef BITACTOR_L1_CORE_SIGNAL_H_
#define BITACTOR_L1_CORE_SIGNAL_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor {

// What a signal is about; the user's own numbering from 0, best an unscoped enum : uint16_t.
using SignalKind = uint16_t;

inline constexpr size_t kMaxSignalBytes = 56;

// A kind and a value of any trivially copyable type. Payload bytes after the value are 0.
// Ownership: its own bytes; no pointers that it carries are followed or freed.
// Errors: reading it as a type of another size is a bug and aborts; of a signal from outside ask
//   Holds() first.
struct alignas(kCacheLineBytes) Signal {
  SignalKind kind;
  uint8_t size_bytes;  // of the value, 0 to 56
  uint8_t reserved;    // no queue carries it
  uint32_t sequence;   // of the slot in a queue (signal_ring.h); says nothing outside of it
  alignas(8) std::byte payload[kMaxSignalBytes];

  template <typename T>
  static Signal Of(SignalKind kind, const T& value) {
    Signal signal;
    signal.Set(kind, value);
    signal.sequence = 0;
    return signal;
  }
  // A signal that says nothing but its kind.
  static Signal Of(SignalKind kind) {
    Signal signal{};
    signal.kind = kind;
    return signal;
  }

  // Makes it this signal, in place; `sequence` alone stays.
  template <typename T>
  void Set(SignalKind new_kind, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>, "a signal carries its value as plain bytes");
    static_assert(sizeof(T) <= kMaxSignalBytes, "a signal carries at most 56 bytes");
    kind = new_kind;
    size_bytes = sizeof(T);
    reserved = 0;
    if constexpr (alignof(T) <= alignof(uint64_t) && std::is_copy_constructible_v<T>) {
      // Member by member, straight from registers: g++ makes 16-byte loads of a memcpy, and one
      // that spans two fresh 8-byte stores waits for both, some 5 ns.
      ::new (static_cast<void*>(payload)) T(value);
    } else {
      std::memcpy(payload, &value, sizeof(T));
    }
    if constexpr (sizeof(T) < kMaxSignalBytes) {
      std::memset(payload + sizeof(T), 0, kMaxSignalBytes - sizeof(T));
    }
  }

  // Whether As<T>() would succeed: the value has T's size. Its type is what the kind stands for.
  template <typename T>
  bool Holds() const {
    return size_bytes == sizeof(T);
  }
  template <typename T>
  T As() const {
    static_assert(std::is_trivially_copyable_v<T>, "a signal carries its value as plain bytes");
    static_assert(sizeof(T) <= kMaxSignalBytes, "a signal carries at most 56 bytes");
    BITACTOR_CHECK_EQ(size_t{size_bytes}, sizeof(T));
    std::remove_const_t<T> value;
    std::memcpy(&value, payload, sizeof(T));
    return value;
  }
};
static_assert(sizeof(Signal) == 64 && offsetof(Signal, payload) == 8);

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_H_
