// From the console's picture to an observation's frame: grey, the maximum of two pictures, 84x84 by area. Bit-exact with
// ALE's grey palette and OpenCV's INTER_AREA (test/native/atariParity.test.ts).
#pragma once

#include <array>
#include <cstdint>

namespace anchorage::atari {

constexpr int kFrameWidth = 84;
constexpr int kFrameHeight = 84;
constexpr int kFrameSize = kFrameWidth * kFrameHeight;

class Screen {
 public:
  explicit Screen(const std::array<uint8_t, 256>& grey);
  // `first`, `second`: [210, 160] colours; `second` may be null. Writes [84, 84] grey values.
  void toFrame(const uint8_t* first, const uint8_t* second, uint8_t* frame) const;

 private:
  std::array<uint8_t, 256> grey_;
};

}  // namespace anchorage::atari
