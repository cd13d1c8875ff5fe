// mujoco.node: Gymnasium's MuJoCo tasks behind the engine's EnvBatch. Settings come from native/mujocoEnvironments.ts.
#include "../engine/addon.h"
#include "tasks.h"

namespace anchorage::mujoco {
namespace {

struct Mujoco {
  struct Config {
    TaskOptions task;
    std::shared_ptr<Simulation> simulation;  // one for the whole batch
    EnvironmentShape shape;
    std::vector<double> startState;  // [nq + nv] for parity tests: begin every episode here; empty: at random
  };

  // { family, version, model: path, frameSkip, options: numbers and flags, startState?: number[] }
  static Config parse(const Napi::Object& given) {
    Config config;
    config.task.family = stringOption(given, "family");
    config.task.version = intOption(given, "version", 4, 5);
    const Napi::Value values = required(given, "options");
    if (!values.IsObject()) throw EngineError("CONFIG", "Option options is not an object.", "Make batches with native/envBatch.ts.");
    const auto options = values.As<Napi::Object>();
    const Napi::Array names = options.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string name = names.Get(i).ToString().Utf8Value();
      config.task.values[name] =
          options.Get(name).IsBoolean() ? boolOption(options, name.c_str()) : numberOption(options, name.c_str());
    }
    const int frameSkip = intOption(given, "frameSkip", 1, 1000);
    config.simulation = std::make_shared<Simulation>(stringOption(given, "model"), frameSkip);
    config.shape = shapeOf(config.simulation->model(), makeTask(config.simulation, config.task)->observationSize(), frameSkip);
    readStartState(given.Get("startState"), config);
    return config;
  }

  static EnvironmentShape describe(const Config& config) { return config.shape; }

  static std::unique_ptr<Environment> make(const Config& config) {
    Task task = makeTask(config.simulation, config.task);
    task->startAt(config.startState);
    return task;
  }

 private:
  static EnvironmentShape shapeOf(const mjModel& model, size_t observationSize, int frameSkip) {
    EnvironmentShape shape;
    shape.dtype = Dtype::kFloat64;
    shape.observation = {static_cast<int>(observationSize)};
    for (int i = 0; i < model.nu; i++) {
      shape.actionLow.push_back(model.actuator_ctrlrange[2 * i]);
      shape.actionHigh.push_back(model.actuator_ctrlrange[2 * i + 1]);
    }
    shape.framesPerStep = frameSkip;
    return shape;
  }

  static void readStartState(const Napi::Value& value, Config& config) {
    if (!value.IsArray()) return;
    const auto numbers = value.As<Napi::Array>();
    for (uint32_t i = 0; i < numbers.Length(); i++) config.startState.push_back(numbers.Get(i).ToNumber().DoubleValue());
    const mjModel& model = config.simulation->model();
    if (config.startState.size() != static_cast<size_t>(model.nq + model.nv))
      throw EngineError("SHAPE", "startState has " + std::to_string(config.startState.size()) + " elements.",
                        "Give [qpos, qvel]: " + std::to_string(model.nq) + " and " + std::to_string(model.nv) + " numbers.");
  }
};

}  // namespace

ANCHORAGE_ADDON(Mujoco)

}  // namespace anchorage::mujoco
