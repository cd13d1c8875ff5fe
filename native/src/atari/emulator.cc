#include "emulator.h"

#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "ale/common/ColourPalette.hpp"
#include "ale/common/Log.hpp"
#include "ale/emucore/Deserializer.hxx"
#include "ale/emucore/M6502.hxx"
#include "ale/emucore/MD5.hxx"
#include "ale/emucore/Serializer.hxx"
#include "ale/games/Roms.hpp"
#include "exposed.h"

namespace anchorage::atari {
namespace {

using ale::stella::Serializer;

constexpr uint32_t kDistinctGames = 1024;

// ALE ends the process where a ROM cannot be used, so this looks first.
void checkRom(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw EngineError("SETUP", "The ROM " + path + " cannot be read.", "Run: npm run setup");
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::string md5 = ale::stella::MD5(bytes.data(), static_cast<uint32_t>(bytes.size()));
  const std::unique_ptr<ale::RomSettings> known(ale::buildRomRLWrapper(path, md5));
  if (!known || known->md5() != md5)
    throw EngineError("SETUP", "The file " + path + " (" + std::to_string(bytes.size()) + " bytes, MD5 " + md5 + ") is not the ROM that ALE knows by this name.",
                      "Delete it and run: npm run setup");
}

template <class Device>
std::string streamOf(Device& device) {
  Serializer stream;
  device.save(stream);
  return stream.get_str();
}

std::string streamOfGame(ale::RomSettings& game) {
  Serializer stream;
  game.saveState(stream);
  return stream.get_str();
}

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

Emulator::Emulator(const GameOptions& options, std::shared_ptr<ResetStates> resetStates)
    : resetStates_(std::move(resetStates)), ale_(), controls_() {
  checkRom(options.rom);
  loadRom(options);
  findDevices();
  if (resetStates_->powerOn.empty()) notePowerOn();
}

Emulator::~Emulator() = default;

void Emulator::loadRom(const GameOptions& options) {
  static std::mutex oneAtATime;  // ALE fills its tables when the first console is made
  {
    const std::lock_guard<std::mutex> lock(oneAtATime);
    ale::Logger::setMode(ale::Logger::Error);
    ale_ = std::make_unique<ale::ALEInterface>();
    ale_->setFloat("repeat_action_probability", 0);  // sticky actions are AtariEnvironment's
    ale_->loadROM(options.rom);
  }
  if (options.mode >= 0) {
    const auto modes = ale_->getAvailableModes();
    if (!holds(modes, options.mode))
      throw EngineError("CONFIG", "envOptions.mode = " + std::to_string(options.mode) + ": the game has no such mode.", "It has: " + listOf(modes) + ".");
    ale_->setMode(static_cast<ale::game_mode_t>(options.mode));
  }
  if (options.difficulty >= 0) {
    const auto difficulties = ale_->getAvailableDifficulties();
    if (!holds(difficulties, options.difficulty))
      throw EngineError("CONFIG", "envOptions.difficulty = " + std::to_string(options.difficulty) + ": the game has no such difficulty.",
                        "It has: " + listOf(difficulties) + ".");
    ale_->setDifficulty(static_cast<ale::difficulty_t>(options.difficulty));
  }
  actions_ = options.fullActionSpace ? ale_->getLegalActionSet() : ale_->getMinimalActionSet();
  const auto& properties = ale_->theOSystem->console().properties();
  paddles_ = properties.get(ale::stella::Controller_Left) == "PADDLES" || properties.get(ale::stella::Controller_Right) == "PADDLES";
  controls_ = std::make_unique<ale::ALEState>(ale_->environment->getState());
}

void Emulator::findDevices() {
  auto& console = ale_->theOSystem->console();
  auto& system = console.system();
  tia_ = dynamic_cast<ale::stella::TIA*>(&console.mediaSource());
  if (tia_ == nullptr || system.*exposed(SystemDeviceCount{}) != devices_.size() || tia_->*exposed(TiaHeight{}) > 300)
    throw std::logic_error("ALE's console is not built as in 0.12.1");
  for (size_t i = 0; i < devices_.size(); ++i) {
    devices_[i] = (system.*exposed(SystemDevices{}))[i];
    deviceLayouts_[i] = layoutOf(devices_[i]->name(), streamOf(*devices_[i]));
  }
  processorLayout_ = layoutOf(system.m6502().name(), streamOf(system.m6502()));
  gameLayout_ = wordsLayout(streamOfGame(*ale_->romSettings));
}

// The state that every game starts from, and how far each reset moves the console's generator on.
void Emulator::notePowerOn() {
  Writer state;
  save(state);
  const auto generator = [this] {
    Serializer stream;
    ale_->theOSystem->console().system().rng().saveState(stream);
    std::mt19937 random;
    std::istringstream(stream.get_str().substr(sizeof(uint32_t))) >> random;
    return random;
  };
  resetStates_->random = generator();
  ale_->environment->reset();
  const std::mt19937 after = generator();
  std::mt19937 random = resetStates_->random;
  while (random != after) {
    random();
    if (++resetStates_->drawsPerReset > kDistinctGames) throw std::logic_error("ALE's generator is not that of 0.12.1");
  }
  resetStates_->powerOn = state.content();
  Reader from(resetStates_->powerOn.data(), resetStates_->powerOn.size());
  load(from);
}

// Puts the console's generator where ALE's would be before game `game`. Games of one key start alike: the console's
// timer takes the first number modulo 75, only cartridges with RAM take more.
uint32_t Emulator::seedConsole(uint32_t game) {
  std::mt19937 random = resetStates_->random;
  random.discard(static_cast<uint64_t>(game) * resetStates_->drawsPerReset);
  std::ostringstream text;
  text << random;
  Serializer stream;
  stream.putString(text.str());
  ale::stella::Deserializer from(stream.get_str());
  ale_->theOSystem->console().system().rng().loadState(from);
  return resetStates_->drawsPerReset == 1 ? random() % 75 : 75 + game;
}

void Emulator::startGame(uint32_t game) {
  const uint32_t key = seedConsole(game % kDistinctGames);
  const auto known = resetStates_->byKey.find(key);
  const std::vector<uint8_t>& start = known == resetStates_->byKey.end() ? resetStates_->powerOn : known->second;
  Reader from(start.data(), start.size());
  load(from);
  if (known != resetStates_->byKey.end()) return;
  tia_->*exposed(TiaFast{}) = false;
  ale_->environment->reset();
  *controls_ = ale_->environment->getState();
  Writer state;
  save(state);
  resetStates_->byKey.emplace(key, state.content());
}

int Emulator::frame(ale::Action action, bool draw) {
  ale::stella::OSystem& console = *ale_->theOSystem;
  if (!ale_->romSettings->isLegal(action)) action = ale::PLAYER_A_NOOP;
  if (paddles_) controls_->applyActionPaddles(console.event(), action, 1.0F, ale::PLAYER_B_NOOP, 0.0F);
  else controls_->applyActionJoysticks(console.event(), action, ale::PLAYER_B_NOOP);
  tia_->*exposed(TiaFast{}) = !draw;
  tia_->update();
  ale_->romSettings->step(console.console().system());
  return ale_->romSettings->getReward();
}

bool Emulator::gameOver() const { return ale_->romSettings->isTerminal(); }

int Emulator::lives() const { return ale_->romSettings->lives(); }

const uint8_t* Emulator::screen() const { return tia_->currentFrameBuffer(); }

bool Emulator::keepsScreen() const { return !(tia_->*exposed(TiaPartial{})); }

std::array<uint8_t, 256> Emulator::greyPalette() const {
  std::array<uint8_t, 256> colours;
  for (size_t i = 0; i < colours.size(); ++i) colours[i] = static_cast<uint8_t>(i);
  std::array<uint8_t, 256> grey{};
  // ALE reads behind its palette for colour 255 (PAL games show it); EnvPool's build finds black there
  ale_->theOSystem->colourPalette().applyPaletteGrayscale(grey.data(), colours.data(), 255);
  return grey;
}

}  // namespace anchorage::atari
