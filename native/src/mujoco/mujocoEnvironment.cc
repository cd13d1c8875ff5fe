#include "mujocoEnvironment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "numpySum.h"
#include "picture/drawing.h"

namespace anchorage::mujoco {

// Longest observation of any robot and option: Humanoid-v4 with its positions.
constexpr size_t longestObservation = 378;

MujocoEnvironment::MujocoEnvironment(std::shared_ptr<Simulation> simulation)
    : simulation_(std::move(simulation)), state_(simulation_->stateSize()), observation_(longestObservation) {}

void MujocoEnvironment::prepare() {
  begin(model().qpos0, std::vector<double>(static_cast<size_t>(nv())).data());
  seenState_ = static_cast<size_t>(observeState(observation_.data()) - observation_.data());
  observation_.resize(static_cast<size_t>(observeLagged(observation_.data() + seenState_) - observation_.data()));
}

ResetResult MujocoEnvironment::reset(EpisodeRandom& random, bool) {
  if (start_.empty()) {
    std::copy(model().qpos0, model().qpos0 + nq(), state_.begin());
    std::fill(state_.begin() + nq(), state_.end(), 0.0);
    drawStart(random, state_.data(), state_.data() + nq());
  } else {
    std::copy(start_.begin(), start_.end(), state_.begin());
  }
  begin(state_.data(), state_.data() + nq());
  return {};
}

void MujocoEnvironment::begin(const double* qpos, const double* qvel) {
  simulation_->start(qpos, qvel);
  simulation_->store(state_.data());
  progress_ = progress();
  writeObservation();
}

StepResult MujocoEnvironment::step(const Action& action) {
  const uint64_t divergences = simulation_->divergences();
  simulation_->load(state_.data());
  simulation_->advance(action.values);
  if (readsContactForces()) simulation_->computeContactForces();
  const double before = progress_;
  progress_ = progress();
  const Judgement judgement = judge((progress_ - before) / simulation_->secondsPerStep(), action.values);
  simulation_->store(state_.data());
  writeObservation();
  requireFinite(judgement.reward, judgement.terminated);
  StepResult result;
  result.rawReward = judgement.reward;
  result.reward = static_cast<float>(judgement.reward);
  result.terminated = result.episodeEnded = judgement.terminated;
  result.unstable = simulation_->divergences() != divergences;
  return result;
}

void MujocoEnvironment::writeObservation() { observeLagged(observeState(observation_.data())); }

void MujocoEnvironment::observe(void* out) const {
  std::memcpy(out, observation_.data(), observation_.size() * sizeof(double));
}

// Gymnasium would hand out the NaN, and one NaN ends a training run. Ant and InvertedPendulum call such a state
// unhealthy: their episode is over, and nothing reads its last observation.
void MujocoEnvironment::requireFinite(double reward, bool terminated) const {
  const auto finite = [](double x) { return std::isfinite(x); };
  const bool usable = terminated || (std::all_of(state_.begin(), state_.end(), finite) &&
                                     std::all_of(observation_.begin(), observation_.end(), finite));
  if (usable && std::isfinite(static_cast<float>(reward))) return;
  throw EngineError("NUMERIC", "The simulation diverged: it gave a reward or an observation that is not finite.",
                    "Keep actions near the range that the environment accepts, or lower the option frameSkip.");
}

void MujocoEnvironment::save(Writer& to) const {
  to.bytes(state_.data(), state_.size() * sizeof(double));
  to.number(progress_);
  to.bytes(observation_.data() + seenState_, (observation_.size() - seenState_) * sizeof(double));
}

void MujocoEnvironment::load(Reader& from) {
  from.bytes(state_.data(), state_.size() * sizeof(double));
  progress_ = from.number<double>();
  from.bytes(observation_.data() + seenState_, (observation_.size() - seenState_) * sizeof(double));
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!std::all_of(state_.begin(), state_.end(), finite) || !std::isfinite(progress_) ||
      !std::all_of(observation_.begin() + static_cast<std::ptrdiff_t>(seenState_), observation_.end(), finite))
    Reader::fail("a number of the simulation's state is not finite");
  simulation_->load(state_.data());
  observeState(observation_.data());
}

// Actuators are named for the joints that they drive: Gymnasium's models name few of them otherwise.
Presentation MujocoEnvironment::presentation() const {
  Presentation shown;
  shown.secondsPerStep = simulation_->secondsPerStep();
  for (int i = 0; i < nu(); i++) {
    const int target = model().actuator_trnid[2 * i];
    const char* name = model().actuator_trntype[i] == mjTRN_JOINT ? mj_id2name(&model(), mjOBJ_JOINT, target) : nullptr;
    shown.actionNames.push_back(name != nullptr ? name : "actuator " + std::to_string(i));
  }
  return shown;
}

Picture MujocoEnvironment::render(int width, int height) const {
  return draw(simulation_->stage().pose(state_.data(), static_cast<float>(width) / static_cast<float>(height)), width, height);
}

int MujocoEnvironment::bodyOffset(const char* name) const {
  const int body = mj_name2id(&model(), mjOBJ_BODY, name);
  if (body < 0) throw EngineError("SETUP", std::string("The robot model has no body named ") + name + ".", "Run: npm run setup");
  return 3 * body;
}

double controlCost(double weight, const float* action, int count) {
  return static_cast<float>(weight) * sumOfSquares(action, count);
}

double norm3(const double* vector) {
  return std::sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]);
}

double between(EpisodeRandom& random, double low, double high) { return low + (high - low) * random.uniform(); }

void addUniform(EpisodeRandom& random, double low, double high, double* values, int count) {
  for (int i = 0; i < count; i++) values[i] += between(random, low, high);
}

void addNormal(EpisodeRandom& random, double scale, double* values, int count) {
  for (int i = 0; i < count; i++) values[i] += scale * random.normal();
}

}  // namespace anchorage::mujoco
