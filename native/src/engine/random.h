// The random numbers of one episode; the C++ twin of shared/seeds.ts and shared/episodeRandom.ts (a test holds both
// equal). Philox-4x32-10, Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3": draw i of episode k of the
// environment with seed s is the block (key s; counter i, k low, k high, kEpisodeStream). Nothing has to be carried
// along between episodes, so any process can begin episode k.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "snapshot.h"

namespace anchorage {

using PhiloxBlock = std::array<uint32_t, 4>;

inline PhiloxBlock philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  constexpr uint64_t kM0 = 0xd2511f53u;
  constexpr uint64_t kM1 = 0xcd9e8d57u;
  auto k0 = static_cast<uint32_t>(key);
  auto k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kM0 * c0;
    const uint64_t p1 = kM1 * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {c0, c1, c2, c3};
}

class EpisodeRandom {
 public:
  EpisodeRandom(uint64_t seed, uint64_t episode) : seed_(seed), episode_(episode) {}

  // Uniform in [0, 1), 53 bits.
  double uniform() {
    const PhiloxBlock w = next();
    return uniformFrom(w[0], w[1]);
  }

  // Standard normal (Box-Muller, one of the pair). Equals the TypeScript twin to 1 unit in the last place: log and cos
  // are each side's own.
  double normal() {
    const PhiloxBlock w = next();
    const double u1 = uniformFrom(w[0], w[1]);
    const double u2 = uniformFrom(w[2], w[3]);
    return std::sqrt(-2 * std::log(1 - u1)) * std::cos(2 * 3.141592653589793 * u2);
  }

  uint32_t word() { return next()[0]; }

  uint64_t episode() const { return episode_; }

  // Its place in the episode, for environments that draw in mid-episode.
  void save(Writer& to) const {
    to.number<uint64_t>(seed_);
    to.number<uint64_t>(episode_);
    to.number<uint32_t>(draws_);
  }
  void load(Reader& from) {
    seed_ = from.number<uint64_t>();
    episode_ = from.number<uint64_t>();
    draws_ = from.number<uint32_t>();
  }

  // Uniform in 0..bound-1 (bound > 0), unbiased enough for bounds far below 2^53.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(uniform() * bound); }

 private:
  static constexpr uint32_t kEpisodeStream = 5;  // stream.episode in shared/seeds.ts

  static double uniformFrom(uint32_t high, uint32_t low) {
    return ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0;
  }

  PhiloxBlock next() {
    return philox(seed_, draws_++, static_cast<uint32_t>(episode_), static_cast<uint32_t>(episode_ >> 32), kEpisodeStream);
  }

  uint64_t seed_;
  uint64_t episode_;
  uint32_t draws_ = 0;
};

}  // namespace anchorage
