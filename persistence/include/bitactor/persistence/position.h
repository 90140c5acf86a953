// A place in a journal.
#ifndef BITACTOR_PERSISTENCE_POSITION_H_
#define BITACTOR_PERSISTENCE_POSITION_H_

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace bitactor {

// Offset of a record in its journal, in units of 64 bytes, counted over the segments: position =
// segment index * (segment bytes / 64) + offset in the segment / 64. Positions of one journal rise
// with every record, but not by one.
class Position {
 public:
  constexpr Position() = default;
  constexpr explicit Position(uint64_t value) : value_(value) {}
  // Not after the first record of any journal.
  static constexpr Position Begin() { return Position(0); }
  // No place: what a refused append returns. After every other position.
  static constexpr Position None() { return Position(~uint64_t{0}); }

  constexpr uint64_t value() const { return value_; }
  constexpr auto operator<=>(const Position&) const = default;

  // Decimal, as the commands show and read it; "none" for None().
  std::string ToString() const;

 private:
  uint64_t value_ = 0;
};

std::ostream& operator<<(std::ostream& out, Position position);

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_POSITION_H_
