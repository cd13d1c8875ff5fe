// One mjData that all environments of an EnvBatch take turns in.
//
// What mj_step reads of an environment is (qpos, qvel, qacc_warmstart, ctrl) and nothing else: our robots have no
// actuator state, no plugins, no mocap bodies and no applied forces. So an environment keeps those three arrays, and
// the batch needs one simulator instead of one per environment: a quarter of the memory at the same speed (64 Ants:
// 8 MB against 34), and a snapshot cannot forget anything, because every step starts from what a snapshot holds.
#pragma once

#include <mujoco/mujoco.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "picture/scene.h"

namespace anchorage::mujoco {

class Simulation {
 public:
  // Throws SETUP when the model cannot be read or keeps state that is not listed above.
  Simulation(const std::string& modelFile, int frameSkip);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  const mjModel& model() const { return *model_; }
  const mjData& data() const { return *data_; }
  double secondsPerStep() const { return model_->opt.timestep * frameSkip_; }

  // Length of one environment's state: [qpos, qvel, qacc_warmstart].
  size_t stateSize() const { return static_cast<size_t>(model_->nq + 2 * model_->nv); }
  void load(const double* state);
  void store(double* state) const;

  // Gymnasium's reset followed by its set_state: everything to zero, then mj_forward at (qpos, qvel).
  void start(const double* qpos, const double* qvel);

  // Gymnasium's do_simulation without mj_rnePostConstraint: mj_step frameSkip times under one action [nu], which MuJoCo
  // clamps to the actuators' ctrlrange. Throws ENVIRONMENT where MuJoCo calls mju_error.
  void advance(const float* action);

  // Fills cfrc_ext. Only the environments that read it pay for it; nothing else that a step reads depends on it.
  void computeContactForces();

  // Where environments are posed for pictures; made when the first is drawn, since most batches never draw any.
  Stage& stage();

  // Steps in which MuJoCo met NaN, Inf or a value over 1e10 and went on from the model's initial state (its autoreset),
  // as it does under Gymnasium, too, but silently there.
  uint64_t divergences() const { return divergences_; }
  // Other warnings: full contact or constraint buffers, a singular inertia, an action over 1e10 taken as 0.
  uint64_t warnings() const { return warnings_; }

 private:
  template <class Body>
  void recovering(Body body);
  void countWarnings();

  std::shared_ptr<const mjModel> model_;
  mjData* data_;
  std::unique_ptr<Stage> stage_;
  int frameSkip_;
  uint64_t divergences_ = 0;
  uint64_t warnings_ = 0;
};

}  // namespace anchorage::mujoco
