// Nasdaq TotalView-ITCH 5.0: message types, their lengths, and the fields this program uses.
#ifndef BITACTOR_TOOLS_MARKET_ITCH50_FORMAT_H_
#define BITACTOR_TOOLS_MARKET_ITCH50_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace bitactor::market {

// A file repeats: length (2 bytes, without itself), message. All numbers are big-endian. Every
// message starts with type@0 locate@1(2) tracking@3(2) time@5(6, ns since midnight).
struct Itch50Type {
  char type;
  uint8_t length_bytes;
  uint8_t symbol_offset;  // of 8 characters padded with blanks; 0: names no symbol
};

inline constexpr std::array<Itch50Type, 23> kItch50Types = {{
    {'S', 12, 0},   // system event
    {'R', 39, 11},  // stock directory
    {'H', 25, 11},  // trading action
    {'Y', 20, 11},  // short sale restriction
    {'L', 26, 15},  // market participant position
    {'V', 35, 0},   // market-wide circuit breaker levels
    {'W', 12, 0},   // market-wide circuit breaker status
    {'K', 28, 11},  // IPO quoting period
    {'J', 35, 11},  // limit up, limit down auction collar
    {'h', 21, 11},  // operational halt
    {'A', 36, 24},  // add order
    {'F', 40, 24},  // add order with its participant
    {'E', 31, 0},   // order executed
    {'C', 36, 0},   // order executed at another price
    {'X', 23, 0},   // order cancelled in part
    {'D', 19, 0},   // order deleted
    {'U', 35, 0},   // order replaced
    {'P', 44, 24},  // trade against an order that was not displayed
    {'Q', 40, 19},  // cross trade
    {'B', 19, 0},   // broken trade
    {'I', 50, 28},  // net order imbalance
    {'N', 20, 11},  // retail price improvement
    {'O', 48, 11},  // direct listing with capital raise
}};
inline constexpr size_t kItch50LengthBytes = 2;
inline constexpr size_t kItch50MinMessageBytes = 12;
inline constexpr size_t kItch50MaxMessageBytes = 50;
inline constexpr size_t kItch50SymbolBytes = 8;
inline constexpr uint64_t kNanosecondsPerDay = 86'400'000'000'000;

namespace internal {
// By character; length 0: no such type.
constexpr std::array<Itch50Type, 256> Itch50TypesByCharacter() {
  std::array<Itch50Type, 256> table{};
  for (const Itch50Type& type : kItch50Types) table[static_cast<uint8_t>(type.type)] = type;
  return table;
}
inline constexpr std::array<Itch50Type, 256> kItch50TypesByCharacter = Itch50TypesByCharacter();
}  // namespace internal

// nullptr when ITCH 5.0 knows no such type.
inline const Itch50Type* FindItch50Type(uint8_t character) {
  const Itch50Type& type = internal::kItch50TypesByCharacter[character];
  return type.length_bytes != 0 ? &type : nullptr;
}

// Compilers make one load and one byte swap of either for 2, 4 and 8 bytes.
template <size_t kBytes>
uint64_t ReadBigEndian(const char* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < kBytes; ++i) value = value << 8 | static_cast<uint8_t>(from[i]);
  return value;
}
template <size_t kBytes>
void WriteBigEndian(uint64_t value, char* to) {
  for (size_t i = 0; i < kBytes; ++i) to[i] = static_cast<char>(value >> (8 * (kBytes - 1 - i)));
}

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ITCH50_FORMAT_H_
