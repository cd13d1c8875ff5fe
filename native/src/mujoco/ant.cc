// Ant (gymnasium/envs/mujoco/ant_v4.py, ant_v5.py). Version 4 knows contact forces only with useContactForces, and pays
// the healthy reward in the step that ends the episode; version 5 always charges for contact forces and observes them
// without the world's row.
#include <algorithm>
#include <cmath>

#include "numpySum.h"
#include "tasks.h"

namespace anchorage::mujoco {
namespace {

constexpr int torso = 1;

class Ant final : public MujocoEnvironment {
 public:
  Ant(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        forwardRewardWeight_(version_ == 4 ? 1 : options.number("forwardRewardWeight")),
        ctrlCostWeight_(options.number("ctrlCostWeight")),
        contactCostWeight_(options.number("contactCostWeight")),
        healthyReward_(options.number("healthyReward")),
        terminateWhenUnhealthy_(options.flag("terminateWhenUnhealthy")),
        chargesContacts_(version_ == 5 || options.flag("useContactForces")),
        observesContacts_(options.flag(version_ == 5 ? "includeCfrcExtInObservation" : "useContactForces")),
        healthyZ_(options.range("healthyZ")),
        contactForce_(options.range("contactForce")),
        resetNoiseScale_(options.number("resetNoiseScale")),
        hidden_(options.flag("excludeCurrentPositionsFromObservation") ? 2 : 0) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addNormal(random, resetNoiseScale_, qvel, nv());
  }

  double progress() const override { return data().xpos[3 * torso]; }

  bool readsContactForces() const override { return chargesContacts_; }

  Judgement judge(double velocity, const float* action) const override {
    const bool healthy = isHealthy();
    const bool paid = healthy || (version_ == 4 && terminateWhenUnhealthy_);
    const double rewards = forwardRewardWeight_ * velocity + (paid ? healthyReward_ : 0);
    double costs = controlCost(ctrlCostWeight_, action, nu());
    if (chargesContacts_) costs += contactCost();
    return {rewards - costs, !healthy && terminateWhenUnhealthy_};
  }

  bool isHealthy() const {
    const auto finite = [](double x) { return std::isfinite(x); };
    const double *qpos = data().qpos, *qvel = data().qvel;
    return std::all_of(qpos, qpos + nq(), finite) && std::all_of(qvel, qvel + nv(), finite) &&
           healthyZ_.low <= qpos[2] && qpos[2] <= healthyZ_.high;
  }

  double contactCost() const {
    const double* forces = data().cfrc_ext;
    return contactCostWeight_ * numpySum<double>(6 * nbody(), [&](int i) {
             const double force = contactForce_.clip(forces[i]);
             return force * force;
           });
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos + hidden_, data().qpos + nq(), out);
    return std::copy(data().qvel, data().qvel + nv(), out);
  }

  double* observeLagged(double* out) const override {
    if (!observesContacts_) return out;
    const double *forces = data().cfrc_ext, *first = forces + (version_ == 5 ? 6 : 0);
    return std::transform(first, forces + 6 * nbody(), out, [this](double force) { return contactForce_.clip(force); });
  }

  int version_;
  double forwardRewardWeight_, ctrlCostWeight_, contactCostWeight_, healthyReward_;
  bool terminateWhenUnhealthy_, chargesContacts_, observesContacts_;
  Range healthyZ_, contactForce_;
  double resetNoiseScale_;
  int hidden_;  // leading positions left out of the observation
};

}  // namespace

Task makeAnt(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Ant>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
