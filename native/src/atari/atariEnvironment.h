// Atari games with EnvPool's `-v5` preprocessing (envpool/atari/atari_env.h, version 1.2.5). Per agent step: the action
// on frameSkip frames, the maximum of the last two, grey, 84x84, pushed onto the stack. Where a game ends before the two
// frames were shown, the older picture stands for them, as there.
#pragma once

#include <memory>
#include <vector>

#include "../engine/environment.h"
#include "emulator.h"
#include "screen.h"

namespace anchorage::atari {

struct AtariOptions {
  GameOptions game;
  int frameSkip = 4;
  int frameStack = 4;
  int noopMax = 30;
  bool episodicLife = true;
  bool rewardSign = true;
  bool useFireReset = true;
  double repeatActionProbability = 0;
};

class AtariEnvironment final : public Environment {
 public:
  AtariEnvironment(std::shared_ptr<const AtariOptions> options, std::shared_ptr<GameStarts> starts);
  ResetResult reset(EpisodeRandom& random, bool fresh) override;
  StepResult step(const Action& action) override;
  void observe(void* out) const override;
  void save(Writer& to) const override;
  void load(Reader& from) override;
  Presentation presentation() const override;
  Picture render(int width, int height) const override;

 private:
  int frame(ale::Action action, bool draw);
  void startGame();
  void push(const uint8_t* first, const uint8_t* second);
  uint8_t* nextSlot();
  const uint8_t* stacked(int i) const;  // 0: oldest

  std::shared_ptr<const AtariOptions> options_;
  std::shared_ptr<GameStarts> starts_;  // of all environments of the batch
  std::unique_ptr<Emulator> emulator_;
  Screen screen_;
  bool fireReset_;
  EpisodeRandom random_{0, 0};  // sticky actions
  ale::Action lastAction_;
  uint32_t games_ = 0;  // started so far
  int lives_ = 0;
  std::vector<uint8_t> stack_;  // [frameStack, 84, 84], a ring
  int oldest_ = 0;
  std::vector<uint8_t> held_;  // a picture that the next frame would overwrite
};

}  // namespace anchorage::atari
