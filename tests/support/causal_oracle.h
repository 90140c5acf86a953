// Vector clocks in messages, and the one question that they answer: did an effect come first?
#ifndef BITACTOR_TESTS_SUPPORT_CAUSAL_ORACLE_H_
#define BITACTOR_TESTS_SUPPORT_CAUSAL_ORACLE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitactor::test {

// By participant (mailbox or port): how many of its sends are known.
struct VectorClock {
  static constexpr size_t kParticipants = 14;

  std::array<uint64_t, kParticipants> known{};

  void Learn(const VectorClock& other) {
    for (size_t i = 0; i < kParticipants; ++i) known[i] = std::max(known[i], other.known[i]);
  }
};

// A message that carries what its sender knew, this send included.
struct Tagged {
  static constexpr std::string_view kTypeName = "test::Tagged";

  VectorClock clock;
  uint32_t sender = 0;
  uint32_t hops = 0;  // how far its effects may still go
};
static_assert(sizeof(Tagged) == 120);

// What one receiver was given. V(x) < V(y) for two messages says that whoever sent y knew of x's
// send, so one maximum for each participant and priority remembers all that is needed.
//
// Threads: one.
class CausalWitness {
 public:
  // False when something that x happened before was given to this receiver earlier, or x itself,
  // and was not of a higher priority.
  bool MayCome(const Tagged& x, size_t priority = 0) {
    bool early_enough = true;
    for (size_t i = 0; i <= priority; ++i) {
      early_enough &= given_[i].known[x.sender] < x.clock.known[x.sender];
    }
    for (size_t i = priority + 1; i < given_.size(); ++i) {
      overtaken_ += given_[i].known[x.sender] >= x.clock.known[x.sender];
    }
    given_[priority].Learn(x.clock);
    return early_enough;
  }
  // How many messages came after something of a higher priority that they had happened before.
  uint64_t overtaken() const { return overtaken_; }

 private:
  std::array<VectorClock, 4> given_;
  uint64_t overtaken_ = 0;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_CAUSAL_ORACLE_H_
