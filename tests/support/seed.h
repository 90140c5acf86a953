// The seed of a random test: new in every soak run, fixed otherwise, and always printed.
#ifndef BITACTOR_TESTS_SUPPORT_SEED_H_
#define BITACTOR_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace bitactor::test {

// BITACTOR_SEED replays a run; BITACTOR_SOAK asks for a new seed.
inline uint64_t Seed() {
  uint64_t seed = 20200130;
  if (const char* given = std::getenv("BITACTOR_SEED")) {
    seed = std::strtoull(given, nullptr, 10);
  } else if (std::getenv("BITACTOR_SOAK") != nullptr) {
    seed = std::random_device{}();
  }
  std::printf("BITACTOR_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// How many rounds a random test makes: more when soaking. Under the address sanitizer many rounds are
// a third: the release run makes them all, and a third of the ways through the code are nearly all.
inline int Rounds(int usual) {
  if (std::getenv("BITACTOR_SOAK") != nullptr) return usual * 20;
#ifdef __SANITIZE_ADDRESS__
  return usual >= 60 ? usual / 3 : usual;
#else
  return usual;
#endif
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_SEED_H_
