#include "model.h"

#include <cctype>
#include <map>
#include <mutex>

#include "../engine/error.h"

namespace anchorage::mujoco {
namespace {

// MuJoCo's messages may have several lines; ours are one.
std::string oneLine(const char* message) {
  std::string line;
  for (; *message != '\0'; message++) {
    const bool blank = std::isspace(static_cast<unsigned char>(*message)) != 0;
    if (!blank) line += *message;
    else if (!line.empty() && line.back() != ' ') line += ' ';
  }
  return line.substr(0, line.find_last_not_of(" .") + 1);
}

// An exception, not a longjmp: it runs the destructors of what it leaves, and libmujoco carries unwind tables.
void throwMujocoError(const char* message) {
  throw EngineError("ENVIRONMENT", "MuJoCo stopped: " + oneLine(message) + ".",
                    "Reset the batch or load a snapshot; if it comes back, the robot model or the actions are unusable.");
}

void ignoreMujocoWarning(const char*) {}

// Constraint islands let robots that do not touch each other be solved apart. One kinematic tree is one island: looking
// for more costs 5 to 15 % of a step and changes nothing (24,000 random steps of each such robot: every field that a
// task reads is equal to the bit). Reacher and Pusher have several trees and keep it.
void skipIslandSearch(mjModel* model) {
  if (model->ntree == 1) model->opt.disableflags |= mjDSBL_ISLAND;
}

std::mutex modelsMutex;  // mj_loadXML keeps global state, too: one load at a time
std::map<std::string, std::weak_ptr<const mjModel>> models;

}  // namespace

void installMujocoHandlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    mju_user_error = throwMujocoError;
    mju_user_warning = ignoreMujocoWarning;
  });
}

std::shared_ptr<const mjModel> sharedModel(const std::string& file) {
  installMujocoHandlers();
  const std::lock_guard<std::mutex> lock(modelsMutex);
  std::weak_ptr<const mjModel>& known = models[file];
  if (std::shared_ptr<const mjModel> model = known.lock()) return model;
  char problem[1000] = "";
  mjModel* loaded = mj_loadXML(file.c_str(), nullptr, problem, sizeof problem);
  if (loaded == nullptr)
    throw EngineError("SETUP", "The robot model " + file + " cannot be read: " + oneLine(problem) + ".", "Run: npm run setup");
  skipIslandSearch(loaded);
  std::shared_ptr<const mjModel> model(loaded, [](const mjModel* m) { mj_deleteModel(const_cast<mjModel*>(m)); });
  known = model;
  return model;
}

}  // namespace anchorage::mujoco
