// Hopper and Walker2d (gymnasium/envs/mujoco/{hopper,walker2d}_v{4,5}.py). Version 4 pays the healthy reward in the step
// that ends the episode, too; version 5 does not. Walker2d-v5 has another model file.
#include <algorithm>
#include <limits>

#include "tasks.h"

namespace anchorage::mujoco {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Walker final : public MujocoEnvironment {
 public:
  Walker(Shared simulation, const TaskOptions& options, bool judgesWholeState)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        forwardRewardWeight_(options.number("forwardRewardWeight")),
        ctrlCostWeight_(options.number("ctrlCostWeight")),
        healthyReward_(options.number("healthyReward")),
        terminateWhenUnhealthy_(options.flag("terminateWhenUnhealthy")),
        judgesWholeState_(judgesWholeState),
        healthyState_(judgesWholeState ? options.range("healthyState") : Range{-infinity, infinity}),
        healthyZ_(options.range("healthyZ")),
        healthyAngle_(options.range("healthyAngle")),
        resetNoiseScale_(options.number("resetNoiseScale")),
        hidden_(options.flag("excludeCurrentPositionsFromObservation") ? 1 : 0) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qvel, nv());
  }

  double progress() const override { return data().qpos[0]; }

  Judgement judge(double velocity, const float* action) const override {
    const bool healthy = isHealthy();
    const bool paid = healthy || (version_ == 4 && terminateWhenUnhealthy_);
    const double rewards = forwardRewardWeight_ * velocity + (paid ? healthyReward_ : 0);
    return {rewards - controlCost(ctrlCostWeight_, action, nu()), !healthy && terminateWhenUnhealthy_};
  }

  bool isHealthy() const {
    const auto healthy = [this](double x) { return healthyState_.contains(x); };
    const double *qpos = data().qpos, *qvel = data().qvel;
    const bool state =
        !judgesWholeState_ || (std::all_of(qpos + 2, qpos + nq(), healthy) && std::all_of(qvel, qvel + nv(), healthy));
    return state && healthyZ_.contains(qpos[1]) && healthyAngle_.contains(qpos[2]);
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos + hidden_, data().qpos + nq(), out);
    const Range seen{-10, 10};
    return std::transform(data().qvel, data().qvel + nv(), out, [&](double v) { return seen.clip(v); });
  }

  int version_;
  double forwardRewardWeight_, ctrlCostWeight_, healthyReward_;
  bool terminateWhenUnhealthy_, judgesWholeState_;
  Range healthyState_, healthyZ_, healthyAngle_;
  double resetNoiseScale_;
  int hidden_;  // leading positions left out of the observation
};

}  // namespace

Task makeHopper(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Walker>(std::move(simulation), options, true);
}

Task makeWalker2d(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Walker>(std::move(simulation), options, false);
}

}  // namespace anchorage::mujoco
