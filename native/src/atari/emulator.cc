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

// Games whose pictures sometimes end early, with the picture of two frames before left standing below: of ALE's 104 the
// only ones where leaving frames undrawn was seen to change a drawn one.
const char* const kDrawnAlways[] = {"tic_tac_toe_3d", "video_checkers"};

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

}  // namespace

Emulator::Emulator(const GameOptions& options) {
  checkRom(options.rom);
  loadRom(options);
  findDevices();
}

Emulator::~Emulator() = default;

// ALEInterface::loadROM without the StellaEnvironment, which takes longer to make than all the rest.
void Emulator::loadRom(const GameOptions& options) {
  static std::mutex oneAtATime;  // ALE fills its tables when the first console is made
  {
    const std::lock_guard<std::mutex> lock(oneAtATime);
    ale::Logger::setMode(ale::Logger::Error);
    ale::ALEInterface::createOSystem(console_, settings_);
    // ALE's own sticky actions would make the walk through some games' menus random; ours are AtariEnvironment's
    settings_->setFloat("repeat_action_probability", 0);
    settings_->setInt("random_seed", 0);
    ale::ALEInterface::loadSettings(options.rom, console_);
  }
  const auto& properties = console_->console().properties();
  game_.reset(ale::buildRomRLWrapper(options.rom, properties.get(ale::stella::Cartridge_MD5)));
  game_->modifyEnvironmentSettings(*settings_);
  game_->reset();
  controls_ = std::make_unique<ale::ALEState>();
  const std::string name = std::filesystem::path(options.rom).stem().string();
  for (const char* drawn : kDrawnAlways) drawsAlways_ = drawsAlways_ || name == drawn;
  actions_ = options.fullActionSpace ? game_->getAllActions() : game_->getMinimalActionSet();
  paddles_ = properties.get(ale::stella::Controller_Left) == "PADDLES" || properties.get(ale::stella::Controller_Right) == "PADDLES";
}

void Emulator::findDevices() {
  auto& console = console_->console();
  auto& system = console.system();
  tia_ = dynamic_cast<ale::stella::TIA*>(&console.mediaSource());
  if (tia_ == nullptr || system.*exposed(SystemDeviceCount{}) != devices_.size() || tia_->*exposed(TiaHeight{}) > 300)
    throw std::logic_error("ALE's console is not built as in 0.12.1");
  for (size_t i = 0; i < devices_.size(); ++i) {
    devices_[i] = (system.*exposed(SystemDevices{}))[i];
    deviceLayouts_[i] = layoutOf(devices_[i]->name(), streamOf(*devices_[i]));
  }
  processorLayout_ = layoutOf(system.m6502().name(), streamOf(system.m6502()));
  gameLayout_ = wordsLayout(streamOfGame(*game_));
}

int Emulator::frame(ale::Action action, bool draw) {
  if (!game_->isLegal(action)) action = ale::PLAYER_A_NOOP;
  if (paddles_) controls_->applyActionPaddles(console_->event(), action, 1.0F, ale::PLAYER_B_NOOP, 0.0F);
  else controls_->applyActionJoysticks(console_->event(), action, ale::PLAYER_B_NOOP);
  tia_->*exposed(TiaFast{}) = !draw && !drawsAlways_;
  tia_->update();
  game_->step(console_->console().system());
  return game_->getReward();
}

bool Emulator::gameOver() const { return game_->isTerminal(); }

int Emulator::lives() const { return game_->lives(); }

const uint8_t* Emulator::screen() const { return tia_->currentFrameBuffer(); }

const uint8_t* Emulator::previousScreen() const { return tia_->previousFrameBuffer(); }

bool Emulator::keepsScreen() const { return !(tia_->*exposed(TiaPartial{})); }

std::array<uint8_t, 256> Emulator::greyPalette() const {
  std::array<uint8_t, 256> colours;
  for (size_t i = 0; i < colours.size(); ++i) colours[i] = static_cast<uint8_t>(i);
  std::array<uint8_t, 256> grey{};
  // ALE reads behind its palette for colour 255 (PAL games show it); EnvPool's build finds black there
  console_->colourPalette().applyPaletteGrayscale(grey.data(), colours.data(), 255);
  return grey;
}

// Colour 255 is black, as in the grey palette.
std::array<std::array<uint8_t, 3>, 256> Emulator::colourPalette() const {
  std::array<std::array<uint8_t, 3>, 256> palette{};
  for (int colour = 0; colour < 255; ++colour) {
    const uint32_t packed = console_->colourPalette().getRGB(colour);
    palette[static_cast<size_t>(colour)] = {static_cast<uint8_t>(packed >> 16), static_cast<uint8_t>(packed >> 8), static_cast<uint8_t>(packed)};
  }
  return palette;
}

}  // namespace anchorage::atari
