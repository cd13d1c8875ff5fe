#include "atariEnvironment.h"

#include <algorithm>
#include <cstring>

#include "runLength.h"

namespace anchorage::atari {

AtariEnvironment::AtariEnvironment(std::shared_ptr<const AtariOptions> options, std::shared_ptr<GameStarts> starts)
    : options_(std::move(options)),
      starts_(std::move(starts)),
      emulator_(std::make_unique<Emulator>(options_->game)),
      screen_(emulator_->greyPalette()),
      lastAction_(ale::PLAYER_A_NOOP),
      stack_(static_cast<size_t>(options_->frameStack) * kFrameSize),
      held_(kScreenSize) {
  starts_->prepare(*emulator_);
  const auto& actions = emulator_->actions();
  fireReset_ = options_->useFireReset && std::find(actions.begin(), actions.end(), ale::PLAYER_A_FIRE) != actions.end();
}

// A lost life that is not the last goes on with the game: no-ops (and FIRE) are played, one frame is pushed.
ResetResult AtariEnvironment::reset(EpisodeRandom& random, bool fresh) {
  ResetResult result;
  int noops = static_cast<int>(random.below(static_cast<uint32_t>(options_->noopMax))) + 1 - (fireReset_ ? 1 : 0);
  random_ = random;
  if (random.episode() == 0) games_ = 0;  // the batch begins anew: nothing of what it played before may show
  result.newEpisode = fresh || emulator_->gameOver();
  if (result.newEpisode) startGame();
  for (; noops > 0; --noops) {
    frame(ale::PLAYER_A_NOOP, noops + (fireReset_ ? 1 : 0) <= 2);
    if (emulator_->gameOver()) {
      startGame();
      result.newEpisode = true;
    }
  }
  if (fireReset_) frame(ale::PLAYER_A_FIRE, true);
  push(emulator_->screen(), nullptr);
  if (result.newEpisode) {
    const uint8_t* newest = stacked(options_->frameStack - 1);
    for (int i = 0; i < options_->frameStack - 1; ++i) std::memcpy(const_cast<uint8_t*>(stacked(i)), newest, kFrameSize);
  }
  result.stackRefilled = result.newEpisode;
  lives_ = emulator_->lives();
  return result;
}

void AtariEnvironment::startGame() {
  const std::vector<uint8_t>& start = starts_->at(games_++);
  Reader from(start.data(), start.size());
  emulator_->load(from);
  lastAction_ = ale::PLAYER_A_NOOP;
}

// Sticky actions as ALE has them: each frame, with the given probability, the frame before's action stays.
int AtariEnvironment::frame(ale::Action action, bool draw) {
  const double sticky = options_->repeatActionProbability;
  if (sticky == 0 || random_.uniform() >= sticky) lastAction_ = action;
  return emulator_->frame(lastAction_, draw);
}

StepResult AtariEnvironment::step(const Action& action) {
  const ale::Action chosen = emulator_->actions()[static_cast<size_t>(action.index)];
  const int pooled = std::min(options_->frameSkip, 2);
  const uint8_t* shown[2] = {nullptr, nullptr};
  int pictures = 0;
  StepResult result;
  for (int left = options_->frameSkip; left > 0 && !result.episodeEnded; --left) {
    result.rawReward += frame(chosen, left <= pooled);
    result.episodeEnded = emulator_->gameOver();
    if (left > pooled) continue;
    shown[pictures++] = emulator_->screen();
    if (pictures < pooled && !emulator_->keepsScreen()) {
      std::memcpy(held_.data(), shown[0], kScreenSize);
      shown[0] = held_.data();
    }
  }
  if (pictures > 0) push(shown[0], shown[1]);
  else {
    const uint8_t* newest = stacked(options_->frameStack - 1);
    std::memmove(nextSlot(), newest, kFrameSize);
  }
  const int lives = emulator_->lives();
  result.terminated = result.episodeEnded || (options_->episodicLife && lives > 0 && lives < lives_);
  lives_ = lives;
  const double score = result.rawReward;
  result.reward = static_cast<float>(options_->rewardSign ? (score > 0) - (score < 0) : score);
  return result;
}

uint8_t* AtariEnvironment::nextSlot() {
  uint8_t* slot = stack_.data() + static_cast<size_t>(oldest_) * kFrameSize;
  oldest_ = (oldest_ + 1) % options_->frameStack;
  return slot;
}

void AtariEnvironment::push(const uint8_t* first, const uint8_t* second) { screen_.toFrame(first, second, nextSlot()); }

const uint8_t* AtariEnvironment::stacked(int i) const {
  return stack_.data() + static_cast<size_t>((oldest_ + i) % options_->frameStack) * kFrameSize;
}

void AtariEnvironment::observe(void* out) const {
  const size_t behind = static_cast<size_t>(oldest_) * kFrameSize;
  auto* bytes = static_cast<uint8_t*>(out);
  std::memcpy(bytes, stack_.data() + behind, stack_.size() - behind);
  std::memcpy(bytes + stack_.size() - behind, stack_.data(), behind);
}

void AtariEnvironment::save(Writer& to) const {
  random_.save(to);
  to.number<uint8_t>(static_cast<uint8_t>(lastAction_));
  to.number<uint32_t>(games_);
  to.number<int32_t>(lives_);
  emulator_->save(to);
  for (int i = 0; i < options_->frameStack; ++i) {
    const uint8_t* frame = stacked(i);
    if (i == 0) packPicture(frame, kFrameSize, RowAbove{frame, kFrameWidth}, to);
    else packPicture(frame, kFrameSize, [before = stacked(i - 1)](size_t at) { return before[at]; }, to);
  }
}

void AtariEnvironment::load(Reader& from) {
  random_.load(from);
  lastAction_ = static_cast<ale::Action>(from.within<uint8_t>(0, ale::PLAYER_A_DOWNLEFTFIRE, "an action"));
  games_ = from.number<uint32_t>();
  lives_ = from.number<int32_t>();
  emulator_->load(from);
  oldest_ = 0;
  for (int i = 0; i < options_->frameStack; ++i) {
    uint8_t* frame = stack_.data() + static_cast<size_t>(i) * kFrameSize;
    if (i == 0) unpackPicture(frame, kFrameSize, RowAbove{frame, kFrameWidth}, from);
    else unpackPicture(frame, kFrameSize, [before = frame - kFrameSize](size_t at) { return before[at]; }, from);
  }
}

Presentation AtariEnvironment::presentation() const {
  Presentation shown;
  shown.secondsPerStep = options_->frameSkip / 60.0;
  for (const ale::Action action : emulator_->actions()) {
    const std::string name = ale::action_to_string(action);  // PLAYER_A_FIRE
    shown.actionNames.push_back(name.substr(std::string("PLAYER_A_").size()));
  }
  return shown;
}

// The console's own screen, two frames in one as in the observation: what games draw in every other frame only would
// otherwise never be seen, since an agent step is an even number of frames.
Picture AtariEnvironment::render(int, int) const {
  const auto palette = emulator_->colourPalette();
  const uint8_t* current = emulator_->screen();
  const uint8_t* previous = options_->frameSkip > 1 && emulator_->keepsScreen() ? emulator_->previousScreen() : current;
  Picture picture{kScreenWidth, kScreenHeight, true, std::vector<uint8_t>(3 * kScreenSize)};
  for (size_t i = 0; i < kScreenSize; ++i)
    for (size_t c = 0; c < 3; ++c) picture.rgb[3 * i + c] = std::max(palette[current[i]][c], palette[previous[i]][c]);
  return picture;
}

}  // namespace anchorage::atari
