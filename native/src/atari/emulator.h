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
class ALEInterface;
class ALEState;
namespace stella {
class Device;
class TIA;
}
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

// What the emulators of a batch share: states after a game's reset, each computed once (a reset emulates about 70
// frames). Belongs to one thread.
struct ResetStates {
  std::vector<uint8_t> powerOn;  // just after the ROM was loaded
  std::mt19937 random;           // the console's generator at that moment: ALE seeds it with a constant
  uint32_t drawsPerReset = 0;
  std::map<uint32_t, std::vector<uint8_t>> byKey;
};

class Emulator {
 public:
  // Throws SETUP for a file that is not ALE's ROM, CONFIG for a mode or difficulty that the game lacks.
  Emulator(const GameOptions& options, std::shared_ptr<ResetStates> resetStates);
  ~Emulator();
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  const std::vector<ale::Action>& actions() const { return actions_; }
  // Grey value of each of the console's 256 colours.
  std::array<uint8_t, 256> greyPalette() const;

  // Switches the console off and on and starts a game. `game`: how many games were started before: as in ALE, the
  // console's timer starts at another value each time. Every 1024 games the values repeat.
  void startGame(uint32_t game);
  // One frame with `action`; the change of the score. `draw`: whether screen() shall show it.
  int frame(ale::Action action, bool draw);
  bool gameOver() const;
  int lives() const;
  // The frame last drawn, [210, 160] colours. Stays valid during one more frame, if keepsScreen().
  const uint8_t* screen() const;
  bool keepsScreen() const;

  void save(Writer& to) const;
  void load(Reader& from);

 private:
  void loadRom(const GameOptions& options);
  void findDevices();
  void notePowerOn();
  uint32_t seedConsole(uint32_t game);
  void saveDisplay(Writer& to) const;
  void loadDisplay(Reader& from);
  void placeBeam();
  std::vector<int*> extraCounters() const;
  std::vector<bool*> extraFlags() const;

  std::shared_ptr<ResetStates> resetStates_;
  std::unique_ptr<ale::ALEInterface> ale_;
  std::unique_ptr<ale::ALEState> controls_;  // paddles and switches
  ale::stella::TIA* tia_ = nullptr;
  std::array<ale::stella::Device*, 3> devices_{};  // M6532, TIA, cartridge
  std::array<DeviceLayout, 3> deviceLayouts_;
  DeviceLayout processorLayout_;
  DeviceLayout gameLayout_;
  std::vector<ale::Action> actions_;
  bool paddles_ = false;
};

}  // namespace anchorage::atari
