// Which of several lanes has the frame with the least stamp.
#ifndef BITACTOR_L2_MAILBOX_STAMP_TOURNAMENT_H_
#define BITACTOR_L2_MAILBOX_STAMP_TOURNAMENT_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace bitactor::internal {

// Order: by stamp, ties by lane number.
// Threads: one.
// Bounds: takes storage in Reserve() alone.
// Cost: of n lanes Start() compares n - 1 times, RunnerUp() and GoOn() log2(n) times, without a branch
//   that depends on a stamp.
//
//   T1  nodes_[n, 2n), n a power of two, are the lanes, and where there is none, nobody; a node k >= 2
//       below is the lesser of nodes_[2k] and nodes_[2k + 1].
//   T2  The second of all is the least of those that the winner met on its way up.
class StampTournament {
 public:
  // Two words, read as they were written: a load that spans two fresh stores waits for both.
  struct Node {
    uint64_t stamp = 0;
    uint64_t where = 0;  // the lane, and in the lower half where it stands among the nodes

    size_t lane() const { return where >> 32; }
    size_t place() const { return static_cast<uint32_t>(where); }
    // As one number, which is compared and chosen without a branch: which stamp is less is a guess
    // that a processor gets wrong.
    unsigned __int128 number() const { return static_cast<unsigned __int128>(stamp) << 64 | where; }
  };

  // Stands for no lane: the end of the contest, before every lane with this stamp.
  static constexpr Node End(uint64_t stamp) { return {stamp, 0}; }

  // Room for this many lanes.
  void Reserve(size_t lanes) {
    lanes_.resize(lanes);
    nodes_.resize(2 * std::bit_ceil(lanes));
  }

  // A new contest: Enter() each lane that takes part, then Start().
  void Clear() { count_ = 0; }
  size_t entered() const { return count_; }
  // REQUIRES: there is room.
  void Enter(uint64_t stamp, uint32_t lane) { lanes_[count_++] = {stamp, uint64_t{lane} << 32}; }
  // The first winner, or `end`.
  Node Start(Node end) {
    if (count_ == 0) return end;
    const size_t leaves = std::bit_ceil(count_);
    for (size_t i = 0; i < count_; ++i) {
      nodes_[leaves + i] = {lanes_[i].stamp, lanes_[i].where | (leaves + i)};
    }
    std::fill_n(nodes_.begin() + static_cast<std::ptrdiff_t>(leaves + count_), leaves - count_,
                Node{kNever, kNever});
    for (size_t k = leaves - 1; k > 1; --k) nodes_[k] = Lesser(nodes_[2 * k], nodes_[2 * k + 1]);
    return Lesser(leaves > 1 ? Lesser(nodes_[2], nodes_[3]) : nodes_[1], end);
  }
  // The second, or `end`: who wins once the winner goes on with more than that.
  Node RunnerUp(Node winner, Node end) const {
    for (size_t k = winner.place(); k > 1; k /= 2) end = Lesser(nodes_[k ^ 1], end);
    return end;
  }
  // The last winner goes on with the stamp that it has now.
  void GoOn(Node winner) {
    nodes_[winner.place()] = winner;
    for (size_t k = winner.place(); k > 3; k /= 2) {
      winner = Lesser(winner, nodes_[k ^ 1]);
      nodes_[k / 2] = winner;
    }
  }

 private:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  static Node Lesser(const Node& a, const Node& b) {
    const unsigned __int128 lesser = std::min(a.number(), b.number());
    return {static_cast<uint64_t>(lesser >> 64), static_cast<uint64_t>(lesser)};
  }

  std::vector<Node> lanes_;  // as they were entered
  std::vector<Node> nodes_;
  size_t count_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_STAMP_TOURNAMENT_H_
