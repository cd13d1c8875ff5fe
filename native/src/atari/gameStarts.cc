#include <sstream>

#include "ale/emucore/Deserializer.hxx"
#include "ale/emucore/Serializer.hxx"
#include "emulator.h"
#include "exposed.h"

namespace anchorage::atari {
namespace {

using ale::stella::Serializer;

constexpr uint32_t kDistinctGames = 1024;

template <class Values>
bool holds(const Values& values, int wanted) {
  for (const auto value : values)
    if (static_cast<int>(value) == wanted) return true;
  return false;
}

template <class Values>
std::string listOf(const Values& values) {
  std::string text;
  for (const auto value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

}  // namespace

GameStarts::GameStarts(const GameOptions& options)
    : emulator_(options), environment_(std::make_unique<ale::StellaEnvironment>(emulator_.console_.get(), emulator_.game_.get())) {
  environment_->reset();  // as ALEInterface::loadROM does
  setMode(options);
  *emulator_.controls_ = environment_->getState();
  Writer state;
  emulator_.save(state);
  powerOn_ = state.content();
  random_ = generator();
  environment_->reset();
  const std::mt19937 after = generator();
  for (std::mt19937 random = random_; random != after; random()) {
    if (++drawsPerGame_ > kDistinctGames) throw std::logic_error("ALE's generator is not that of 0.12.1");
  }
}

GameStarts::~GameStarts() = default;

void GameStarts::setMode(const GameOptions& options) {
  if (options.mode >= 0) {
    const auto modes = emulator_.game_->getAvailableModes();
    if (!holds(modes, options.mode))
      throw EngineError("CONFIG", "envOptions.mode = " + std::to_string(options.mode) + ": the game has no such mode.",
                        "It has: " + listOf(modes) + ".");
    environment_->setMode(static_cast<ale::game_mode_t>(options.mode));
  }
  if (options.difficulty >= 0) {
    const auto difficulties = emulator_.game_->getAvailableDifficulties();
    if (!holds(difficulties, options.difficulty))
      throw EngineError("CONFIG", "envOptions.difficulty = " + std::to_string(options.difficulty) + ": the game has no such difficulty.",
                        "It has: " + listOf(difficulties) + ".");
    environment_->setDifficulty(static_cast<ale::difficulty_t>(options.difficulty));
  }
}

void GameStarts::prepare(Emulator& emulator) const { *emulator.controls_ = *emulator_.controls_; }

std::mt19937 GameStarts::generator() {
  Serializer stream;
  emulator_.console_->console().system().rng().saveState(stream);
  std::mt19937 random;
  std::istringstream(stream.get_str().substr(sizeof(uint32_t))) >> random;
  return random;
}

// Puts the console's generator where ALE's would be before game `game`. Games of one key start alike: the console's
// timer takes the first number modulo 75, only cartridges with RAM take more.
uint32_t GameStarts::seedConsole(uint32_t game) {
  std::mt19937 random = random_;
  random.discard(static_cast<uint64_t>(game) * drawsPerGame_);
  std::ostringstream text;
  text << random;
  Serializer stream;
  stream.putString(text.str());
  ale::stella::Deserializer from(stream.get_str());
  emulator_.console_->console().system().rng().loadState(from);
  return drawsPerGame_ == 1 ? static_cast<uint32_t>(random() % 75) : 75 + game;
}

const std::vector<uint8_t>& GameStarts::at(uint32_t game) {
  const uint32_t key = seedConsole(game % kDistinctGames);
  const auto known = byKey_.find(key);
  if (known != byKey_.end()) return known->second;
  Reader from(powerOn_.data(), powerOn_.size());
  emulator_.load(from);
  environment_->reset();
  *emulator_.controls_ = environment_->getState();
  Writer state;
  emulator_.save(state);
  return byKey_.emplace(key, state.content()).first->second;
}

}  // namespace anchorage::atari
