// One environment as the engine sees it. How a family (Atari, MuJoCo, yours) is added:
//  1. native/src/<family>/: a class derived from Environment. It need not count steps, apply maxEpisodeSteps, sum
//     returns, auto-reset, checksum or validate actions: batch.h does that for all families.
//  2. native/src/<family>/addon.cc: a struct with `describe` and `make` (see addon.h), and one macro.
//  3. native/envBatch.ts: the ids and the zod schema of the options.
// An environment belongs to one batch, hence to one thread. No mutable globals: several threads load the addon at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "random.h"
#include "snapshot.h"

namespace anchorage {

enum class Dtype { kUint8, kFloat32, kFloat64 };

// What every environment of a batch has in common.
struct EnvironmentShape {
  Dtype dtype = Dtype::kFloat32;
  std::vector<int> observation;  // extents of one observation
  int frameStack = 0;            // frames in observation[0], oldest first; 0: not a stack
  int discreteActions = 0;       // count; 0: continuous
  std::vector<double> actionLow;   // [A] continuous only
  std::vector<double> actionHigh;  // [A]
  int framesPerStep = 1;

  size_t elements() const {
    size_t product = 1;
    for (const int extent : observation) product *= static_cast<size_t>(extent);
    return product;
  }
  size_t observationBytes() const {
    return elements() * (dtype == Dtype::kUint8 ? 1 : dtype == Dtype::kFloat32 ? 4 : 8);
  }
};

// One environment's action, checked by the batch: `index` in 0..discreteActions-1, or `values` [A], all finite.
struct Action {
  int32_t index = 0;
  const float* values = nullptr;
};

struct StepResult {
  float reward = 0;           // as the learner sees it (Atari: the sign)
  double rawReward = 0;       // as the environment scores
  bool terminated = false;    // the episode (with episodic life: the life) ended for good
  bool truncated = false;     // the environment itself cut the episode off; maxEpisodeSteps is the batch's
  bool episodeEnded = false;  // the raw episode (the game, not a life) ended
  bool unstable = false;      // the simulator failed and went on from another state, as MuJoCo does; counted, not fatal
};

struct ResetResult {
  bool newEpisode = true;      // a raw episode began: always, but after the loss of a life that is not the last
  bool stackRefilled = false;  // every frame of the stack is its newest frame
};

// For people who watch; see Presentation and Picture in shared/environment.ts.
struct Presentation {
  double secondsPerStep = 0;             // simulated, per agent step
  std::vector<std::string> actionNames;  // one per discrete action or action dimension
};

struct Picture {
  int width = 0;
  int height = 0;
  bool pixelated = false;
  std::vector<uint8_t> rgb;  // [height, width, 3] from the top left
};

class Environment {
 public:
  virtual ~Environment() = default;
  // Begins the next episode. All randomness comes from `random`. `fresh`: a new raw episode must begin (first reset,
  // game over, truncation); false only after a termination without episodeEnded, where the game may go on.
  virtual ResetResult reset(EpisodeRandom& random, bool fresh) = 0;
  virtual StepResult step(const Action& action) = 0;
  // Writes the current observation: EnvironmentShape::observationBytes() bytes, aligned for the dtype.
  virtual void observe(void* out) const = 0;
  // The whole state in mid-episode: all that later steps, rewards and observations read.
  virtual void save(Writer& to) const = 0;
  // Continues bit-identically from `save`. The bytes may be hostile: check every value before it can index memory, and
  // throw (Reader::fail) rather than repair. It may throw half way: the batch then loads what was there before.
  virtual void load(Reader& from) = 0;
  virtual Presentation presentation() const = 0;
  // The current state. Must change nothing that a later step, observation or snapshot reads. `width` and `height` are
  // wishes: an environment with a screen of its own shows that.
  virtual Picture render(int width, int height) const = 0;
};

}  // namespace anchorage
