#include "bitactor/l2_mailbox/stamp_tournament.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "support/seed.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

using Place = std::pair<uint64_t, size_t>;  // stamp and lane

// Every lane's stamps in the order of the contest, until `end`, one winner after another.
std::vector<Place> Play(StampTournament& tournament,
                        const std::vector<std::pair<uint32_t, std::vector<uint64_t>>>& lanes,
                        uint64_t end_stamp) {
  tournament.Clear();
  std::vector<size_t> next(1000, 0);
  std::vector<const std::vector<uint64_t>*> of_lane(1000, nullptr);
  for (const auto& [lane, stamps] : lanes) {
    of_lane[lane] = &stamps;
    tournament.Enter(stamps.front(), lane);
  }
  const StampTournament::Node end = StampTournament::End(end_stamp);
  std::vector<Place> order;
  for (StampTournament::Node first = tournament.Start(end); first.stamp < end_stamp;) {
    const StampTournament::Node second = tournament.RunnerUp(first, end);
    do {
      order.emplace_back(first.stamp, first.lane());
      const std::vector<uint64_t>& stamps = *of_lane[first.lane()];
      const size_t n = ++next[first.lane()];
      first.stamp = n < stamps.size() ? stamps[n] : kNever;
    } while (first.number() < second.number());
    tournament.GoOn(first);
    first = second;
  }
  return order;
}

TEST(StampTournamentTest, WithoutLanesTheEndComesFirst) {
  StampTournament tournament;
  tournament.Reserve(3);
  EXPECT_TRUE(Play(tournament, {}, 7).empty());
}

TEST(StampTournamentTest, OneLaneGoesOnToTheEnd) {
  StampTournament tournament;
  tournament.Reserve(1);
  EXPECT_EQ(Play(tournament, {{0, {1, 5, 7, 9}}}, 7), (std::vector<Place>{{1, 0}, {5, 0}}));
}

TEST(StampTournamentTest, EqualStampsGoByLaneNumber) {
  StampTournament tournament;
  tournament.Reserve(6);
  EXPECT_EQ(Play(tournament, {{1, {3, 4}}, {4, {3, 3}}, {5, {2, 3}}}, kNever),
            (std::vector<Place>{{2, 5}, {3, 1}, {3, 4}, {3, 4}, {3, 5}, {4, 1}}));
}

TEST(StampTournamentTest, NothingAtTheEndOrBeyondItComes) {
  StampTournament tournament;
  tournament.Reserve(2);
  EXPECT_EQ(Play(tournament, {{0, {4, 6}}, {1, {5, 5}}}, 5), (std::vector<Place>{{4, 0}}));
  EXPECT_TRUE(Play(tournament, {{0, {4}}, {1, {5}}}, 4).empty());
}

TEST(StampTournamentTest, IsASortUnderAnyNumberOfLanes) {
  std::mt19937_64 random(test::Seed());
  StampTournament tournament;
  tournament.Reserve(300);
  for (int round = 0; round < test::Rounds(2'000); ++round) {
    const uint32_t lanes_max = uint32_t{1} << random() % 9;
    const uint64_t steps = 1 + random() % 4;  // few stamps: many ties
    std::vector<std::pair<uint32_t, std::vector<uint64_t>>> lanes;
    std::vector<Place> expected;
    const uint64_t end = random() % 3 == 0 ? kNever : random() % 20;
    for (uint32_t lane = 0; lane < lanes_max + random() % 9; ++lane) {
      if (random() % 4 == 0) continue;  // has nothing
      std::vector<uint64_t> stamps;
      uint64_t stamp = random() % steps;
      for (uint64_t n = 1 + random() % 4; n > 0; --n, stamp += random() % steps) {
        stamps.push_back(stamp);
      }
      bool before_end = true;
      for (const uint64_t each : stamps) {
        before_end = before_end && each < end;
        if (before_end) expected.emplace_back(each, lane);
      }
      lanes.emplace_back(lane, std::move(stamps));
    }
    std::stable_sort(expected.begin(), expected.end());
    ASSERT_EQ(Play(tournament, lanes, end), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace bitactor::internal
