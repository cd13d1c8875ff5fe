// Pictures in snapshots: bytes that differ little from a prediction (the row above, the frame before) are stored as
// runs of "as predicted" and stretches of differences. Each token: count of predicted bytes, count of differing bytes
// (both uint8), the differences (XOR).
#pragma once

#include <cstdint>

#include "../engine/snapshot.h"

namespace anchorage::atari {

// `predicted(i)`: the prediction of byte i, from bytes before i or from another picture.
template <class Predicted>
void packPicture(const uint8_t* picture, size_t length, Predicted predicted, Writer& to) {
  constexpr size_t kMost = 255;
  uint8_t differences[kMost];
  for (size_t i = 0; i < length;) {
    uint8_t same = 0;
    while (i < length && same < kMost && picture[i] == predicted(i)) {
      ++same;
      ++i;
    }
    uint8_t differing = 0;
    // two predicted bytes in a row cost as much as the next token's counts
    while (i < length && differing < kMost && (picture[i] != predicted(i) || (i + 1 < length && picture[i + 1] != predicted(i + 1)))) {
      differences[differing++] = picture[i] ^ predicted(i);
      ++i;
    }
    to.number<uint8_t>(same);
    to.number<uint8_t>(differing);
    to.bytes(differences, differing);
  }
}

template <class Predicted>
void unpackPicture(uint8_t* picture, size_t length, Predicted predicted, Reader& from) {
  for (size_t i = 0; i < length;) {
    const size_t same = from.number<uint8_t>();
    const size_t differing = from.number<uint8_t>();
    if (same + differing == 0 || same + differing > length - i) Reader::fail("a picture in it does not decode");
    for (const size_t end = i + same; i < end; ++i) picture[i] = predicted(i);
    const uint8_t* differences = from.take(differing);
    for (size_t k = 0; k < differing; ++k, ++i) picture[i] = predicted(i) ^ differences[k];
  }
}

// The prediction "as the row above".
struct RowAbove {
  const uint8_t* picture;
  size_t width;
  uint8_t operator()(size_t i) const { return i < width ? 0 : picture[i - width]; }
};

}  // namespace anchorage::atari
