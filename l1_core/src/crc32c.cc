#include "bitactor/l1_core/crc32c.h"

#include <array>

namespace bitactor {
namespace {

constexpr uint32_t kPolynomialReflected = 0x82F63B78u;

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomialReflected : 0);
    }
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

// Bytes of each of the three parts that are taken at once; a power of two.
constexpr size_t kPartBytes = 1024;

// a * b modulo the polynomial. Bit 31 is x^0.
constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = uint32_t{1} << 31; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomialReflected : 0);
  }
  return product;
}

// x^(8 * kPartBytes): what a checksum is multiplied by for that many bytes behind it.
constexpr uint32_t BehindPart() {
  uint32_t power = uint32_t{1} << 30;  // x
  for (size_t bits = 1; bits < 8 * kPartBytes; bits *= 2) power = Multiply(power, power);
  return power;
}

using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;

// That product by the bytes of the checksum.
constexpr ShiftTable MakeShiftTable() {
  ShiftTable table{};
  const uint32_t power = BehindPart();
  for (uint32_t byte = 0; byte < 4; ++byte) {
    for (uint32_t value = 0; value < 256; ++value) {
      table[byte][value] = Multiply(power, value << (8 * byte));
    }
  }
  return table;
}

[[maybe_unused]] constexpr ShiftTable kShift = MakeShiftTable();

[[maybe_unused]] uint32_t Shift(uint32_t crc) {
  return kShift[0][crc & 0xFF] ^ kShift[1][crc >> 8 & 0xFF] ^ kShift[2][crc >> 16 & 0xFF] ^
         kShift[3][crc >> 24];
}

}  // namespace

uint32_t Crc32cLong(uint32_t crc, const void* data, size_t size_bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
  for (; size_bytes >= 3 * kPartBytes; size_bytes -= 3 * kPartBytes, p += 3 * kPartBytes) {
    internal::Crc32cState state0 = ~crc, state1 = ~uint32_t{0}, state2 = ~uint32_t{0};
    for (size_t at = 0; at < kPartBytes; at += 8) {
      uint64_t words[3];
      std::memcpy(&words[0], p + at, 8);
      std::memcpy(&words[1], p + kPartBytes + at, 8);
      std::memcpy(&words[2], p + 2 * kPartBytes + at, 8);
      state0 = internal::Crc32cStep8(state0, words[0]);
      state1 = internal::Crc32cStep8(state1, words[1]);
      state2 = internal::Crc32cStep8(state2, words[2]);
    }
    crc = Shift(Shift(~static_cast<uint32_t>(state0)) ^ ~static_cast<uint32_t>(state1)) ^
          ~static_cast<uint32_t>(state2);
  }
#endif
  return Crc32c(crc, p, size_bytes);
}

uint32_t Crc32cPortable(uint32_t crc, const void* data, size_t size_bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint32_t state = ~crc;
  for (size_t i = 0; i < size_bytes; ++i) state = (state >> 8) ^ kTable[(state ^ p[i]) & 0xFF];
  return ~state;
}

}  // namespace bitactor
