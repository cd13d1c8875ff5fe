#include "tasks.h"

#include <map>

namespace anchorage::mujoco {

Task makeTask(Shared simulation, const TaskOptions& options) {
  static const std::map<std::string, Task (*)(Shared, const TaskOptions&)> families = {
      {"HalfCheetah", makeHalfCheetah},
      {"Ant", makeAnt},
      {"Hopper", makeHopper},
      {"Walker2d", makeWalker2d},
      {"Humanoid", makeHumanoid},
      {"Swimmer", makeSwimmer},
      {"InvertedPendulum", makeInvertedPendulum},
      {"InvertedDoublePendulum", makeInvertedDoublePendulum},
      {"Reacher", makeReacher},
      {"Pusher", makePusher},
  };
  const auto family = families.find(options.family);
  if (family == families.end())
    throw EngineError("CONFIG", "There is no MuJoCo task named " + options.family + ".", "Make batches with native/envBatch.ts.");
  Task task = family->second(std::move(simulation), options);
  task->prepare();
  return task;
}

}  // namespace anchorage::mujoco
