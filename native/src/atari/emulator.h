// One Atari 2600 with a game in it: ALE's console driven frame by frame. Beneath ALEInterface::act, because that copies
// the screen, RAM and sound of every frame, cannot leave a frame undrawn, and because ALE's own snapshots lack what the
// next frame's picture needs (see exposed.h).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../engine/snapshot.h"
#include "ale/common/Constants.h"
#include "deviceLayout.h"

namespace ale {
class ALEState;
class RomSettings;
class StellaEnvironment;
namespace stella {
class Device;
class OSystem;
class Settings;
class TIA;
}  // namespace stella
}  // namespace ale

namespace anchorage::atari {

constexpr int kScreenWidth = 160;
constexpr int kScreenHeight = 210;  // rows used: taller pictures (PAL games) are cut below, as EnvPool does
constexpr int kScreenSize = kScreenWidth * kScreenHeight;

struct GameOptions {
  std::string rom;  // path
  bool fullActionSpace = false;
  int mode = -1;        // -1: the game's default
  int difficulty = -1;  // -1: 0
};

class Emulator {
 public:
  // Throws SETUP for a file that is not ALE's ROM. `load` must follow: ALE's way to a game's start is GameStarts.
  explicit Emulator(const GameOptions& options);
  ~Emulator();
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  const std::vector<ale::Action>& actions() const { return actions_; }
  // Grey value of each of the console's 256 colours.
  std::array<uint8_t, 256> greyPalette() const;

  // Red, green and blue of each.
  std::array<std::array<uint8_t, 3>, 256> colourPalette() const;

  // One frame with `action`; the change of the score. `draw`: whether screen() shall show it.
  int frame(ale::Action action, bool draw);
  bool gameOver() const;
  int lives() const;
  // The frame last drawn, [210, 160] colours. Stays valid during one more frame, if keepsScreen().
  const uint8_t* screen() const;
  bool keepsScreen() const;
  // The frame before it; whether it was drawn is the caller's to know.
  const uint8_t* previousScreen() const;

  void save(Writer& to) const;
  void load(Reader& from);

 private:
  friend class GameStarts;
  void loadRom(const GameOptions& options);
  void findDevices();
  void saveDisplay(Writer& to) const;
  void loadDisplay(Reader& from);
  void placeBeam();
  std::vector<int*> extraCounters() const;
  std::vector<bool*> extraFlags() const;

  std::unique_ptr<ale::stella::OSystem> console_;
  std::unique_ptr<ale::stella::Settings> settings_;
  std::unique_ptr<ale::RomSettings> game_;
  std::unique_ptr<ale::ALEState> controls_;  // paddles and switches
  ale::stella::TIA* tia_ = nullptr;
  std::array<ale::stella::Device*, 3> devices_{};  // M6532, TIA, cartridge
  std::array<DeviceLayout, 3> deviceLayouts_;
  DeviceLayout processorLayout_;
  DeviceLayout gameLayout_;
  std::vector<ale::Action> actions_;
  bool paddles_ = false;
  bool drawsAlways_ = false;
};

// Where games start. Each start is computed once, by ALE's own reset (about 70 frames), and loaded from then on. An
// episode begins with the console as it was when the ROM had been loaded, whatever was played before: nothing carries
// over but the number of games, which as in ALE sets the console's timer. Belongs to one thread.
class GameStarts {
 public:
  // Throws as Emulator does, and CONFIG for a mode or difficulty that the game lacks.
  explicit GameStarts(const GameOptions& options);
  ~GameStarts();
  // The state of an emulator at the start of a game. `game`: how many were started before; repeats every 1024.
  const std::vector<uint8_t>& at(uint32_t game);
  // Makes an emulator ready for the states.
  void prepare(Emulator& emulator) const;
  const std::vector<ale::Action>& actions() const { return emulator_.actions(); }

 private:
  void setMode(const GameOptions& options);
  std::mt19937 generator();
  uint32_t seedConsole(uint32_t game);

  Emulator emulator_;
  std::unique_ptr<ale::StellaEnvironment> environment_;
  std::vector<uint8_t> powerOn_;  // just after the ROM was loaded
  std::mt19937 random_;           // the console's generator at that moment: ALE seeds it with a constant
  uint32_t drawsPerGame_ = 0;
  std::map<uint32_t, std::vector<uint8_t>> byKey_;
};

}  // namespace anchorage::atari
