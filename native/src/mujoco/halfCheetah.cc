// HalfCheetah (gymnasium/envs/mujoco/half_cheetah_v4.py, half_cheetah_v5.py): both versions give the same numbers.
#include "tasks.h"

namespace anchorage::mujoco {
namespace {

class HalfCheetah final : public MujocoEnvironment {
 public:
  HalfCheetah(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        forwardRewardWeight_(options.number("forwardRewardWeight")),
        ctrlCostWeight_(options.number("ctrlCostWeight")),
        resetNoiseScale_(options.number("resetNoiseScale")),
        hidden_(options.flag("excludeCurrentPositionsFromObservation") ? 1 : 0) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addNormal(random, resetNoiseScale_, qvel, nv());
  }

  double progress() const override { return data().qpos[0]; }

  Judgement judge(double velocity, const float* action) const override {
    return {forwardRewardWeight_ * velocity - controlCost(ctrlCostWeight_, action, nu()), false};
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos + hidden_, data().qpos + nq(), out);
    return std::copy(data().qvel, data().qvel + nv(), out);
  }

  double forwardRewardWeight_, ctrlCostWeight_, resetNoiseScale_;
  int hidden_;  // leading positions left out of the observation
};

}  // namespace

Task makeHalfCheetah(Shared simulation, const TaskOptions& options) {
  return std::make_unique<HalfCheetah>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
