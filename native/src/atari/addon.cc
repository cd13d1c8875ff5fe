// atari.node: Atari games behind the engine's EnvBatch. Settings come from native/atariEnvironments.ts. Links ALE (GPL-2).
#include "../engine/addon.h"
#include "atariEnvironment.h"

namespace anchorage::atari {
namespace {

struct Atari {
  struct Config {
    std::shared_ptr<AtariOptions> options = std::make_shared<AtariOptions>();
    std::shared_ptr<GameStarts> starts;
  };

  static Config parse(const Napi::Object& given) {
    Config config;
    AtariOptions& options = *config.options;
    options.game.rom = stringOption(given, "rom");
    options.game.fullActionSpace = boolOption(given, "fullActionSpace");
    options.game.mode = nullableIntOption(given, "mode");
    options.game.difficulty = nullableIntOption(given, "difficulty");
    options.frameSkip = intOption(given, "frameSkip", 1, 1000);
    options.frameStack = intOption(given, "frameStack", 1, 64);
    options.noopMax = intOption(given, "noopMax", 1, 10000);
    options.episodicLife = boolOption(given, "episodicLife");
    options.rewardSign = boolOption(given, "rewardSign");
    options.useFireReset = boolOption(given, "useFireReset");
    options.repeatActionProbability = numberOption(given, "repeatActionProbability");
    config.starts = std::make_shared<GameStarts>(options.game);
    return config;
  }

  static EnvironmentShape describe(const Config& config) {
    EnvironmentShape shape;
    shape.dtype = Dtype::kUint8;
    shape.observation = {config.options->frameStack, kFrameHeight, kFrameWidth};
    shape.frameStack = config.options->frameStack;
    shape.discreteActions = static_cast<int>(config.starts->actions().size());
    shape.framesPerStep = config.options->frameSkip;
    return shape;
  }

  static std::unique_ptr<Environment> make(const Config& config) {
    return std::make_unique<AtariEnvironment>(config.options, config.starts);
  }

 private:
  static int nullableIntOption(const Napi::Object& given, const char* name) {
    return required(given, name).IsNull() ? -1 : intOption(given, name, 0, 65535);
  }
};

}  // namespace

ANCHORAGE_ADDON(Atari)

}  // namespace anchorage::atari
