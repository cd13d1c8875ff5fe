#include "screen.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "emulator.h"

namespace anchorage::atari {
namespace {

// ---- grey values and the maximum of two pictures ----

void greyPlain(const std::array<uint8_t, 256>& grey, const uint8_t* first, const uint8_t* second, uint8_t* out) {
  for (int i = 0; i < kScreenSize; ++i) out[i] = std::max(grey[first[i]], grey[second[i]]);
}

#if defined(__x86_64__)
// Looks 32 colours up in a table of 256, 16 at a time: of the 16 parts of the table one matches each colour's high half,
// the others give 0.
__attribute__((target("avx2"))) inline __m256i lookUp(const __m256i* parts, __m256i colours) {
  __m256i result = _mm256_setzero_si256();
  for (int part = 0; part < 16; ++part) {
    const __m256i distance = _mm256_xor_si256(colours, _mm256_set1_epi8(static_cast<char>(part << 4)));
    // a wrong high half sets bit 7, which makes the shuffle give 0
    const __m256i index = _mm256_adds_epu8(distance, _mm256_set1_epi8(0x70));
    result = _mm256_or_si256(result, _mm256_shuffle_epi8(parts[part], index));
  }
  return result;
}

// The same for even colours only: 8 parts of 16 values for colours 0, 2, 4, ...
__attribute__((target("avx2"))) inline __m256i lookUpEven(const __m256i* parts, __m256i colours) {
  const __m256i half = _mm256_and_si256(_mm256_srli_epi16(colours, 1), _mm256_set1_epi8(0x7f));
  __m256i result = _mm256_setzero_si256();
  for (int part = 0; part < 8; ++part) {
    const __m256i distance = _mm256_xor_si256(half, _mm256_set1_epi8(static_cast<char>(part << 4)));
    const __m256i index = _mm256_adds_epu8(distance, _mm256_set1_epi8(0x70));
    result = _mm256_or_si256(result, _mm256_shuffle_epi8(parts[part], index));
  }
  return result;
}

__attribute__((target("avx2"))) void greyAvx2(const std::array<uint8_t, 256>& grey, const uint8_t* first, const uint8_t* second,
                                              uint8_t* out) {
  static_assert(kScreenSize % 32 == 0);
  alignas(32) uint8_t even[128];
  for (int i = 0; i < 128; ++i) even[i] = grey[2 * i];
  __m256i evenParts[8];
  for (int part = 0; part < 8; ++part)
    evenParts[part] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(even + 16 * part)));
  __m256i parts[16];
  for (int part = 0; part < 16; ++part)
    parts[part] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(grey.data() + 16 * part)));
  const __m256i oddBit = _mm256_set1_epi8(1);
  for (int i = 0; i < kScreenSize; i += 32) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + i));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second + i));
    const bool odd = !_mm256_testz_si256(_mm256_or_si256(a, b), oddBit);  // PAL games and greyed frames
    const bool alike = _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)) == -1;
    __m256i value = odd ? lookUp(parts, a) : lookUpEven(evenParts, a);
    if (!alike) value = _mm256_max_epu8(value, odd ? lookUp(parts, b) : lookUpEven(evenParts, b));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), value);
  }
}

#endif

// For machines without AVX2 the plain way, which gives the same.
void greyMaximum(const std::array<uint8_t, 256>& grey, const uint8_t* first, const uint8_t* second, uint8_t* out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return greyAvx2(grey, first, second, out);
#endif
  greyPlain(grey, first, second, out);
}

// ---- area resize ----

// What INTER_AREA computes: each output is a mean over 40/21 x 2.5 inputs. OpenCV sums in float and rounds half to even;
// with weights in units of 1/40 and 1/5 the sum is an exact integer of at most 255 * 200, so only exact ties can round
// otherwise in float. They are computed again in OpenCV's way.
struct Cell {
  int start;          // first input
  int count;          // inputs, at most 3
  uint16_t weight[3];  // in units of 1/40 (columns) or 1/5 (rows)
  float alpha[3];      // as OpenCV has them
};

// OpenCV's computeResizeAreaTab for one axis (imgproc/src/resize.cpp).
template <int kOutputs>
std::array<Cell, kOutputs> cells(int inputs, int units) {
  std::array<Cell, kOutputs> table{};
  const double scale = 1.0 / (static_cast<double>(kOutputs) / inputs);
  for (int out = 0; out < kOutputs; ++out) {
    const double from = out * scale;
    const double to = from + scale;
    const double width = std::min(scale, inputs - from);
    const int last = std::min(static_cast<int>(std::floor(to)), inputs - 1);
    const int first = std::min(static_cast<int>(std::ceil(from)), last);
    Cell& cell = table[out];
    const auto add = [&](int at, double share) {
      if (cell.count == 0) cell.start = at;
      cell.alpha[cell.count] = static_cast<float>(share);
      cell.weight[cell.count] = static_cast<uint16_t>(std::lround(share * units));
      ++cell.count;
    };
    if (first - from > 1e-3) add(first - 1, (first - from) / width);
    for (int at = first; at < last; ++at) add(at, 1.0 / width);
    if (to - last > 1e-3) add(last, std::min(std::min(to - last, 1.0), width) / width);
  }
  return table;
}

const std::array<Cell, kFrameWidth> kColumns = cells<kFrameWidth>(kScreenWidth, 40);
const std::array<Cell, kFrameHeight> kRows = cells<kFrameHeight>(kScreenHeight, 5);
constexpr uint32_t kUnits = 200;

uint8_t inFloat(const uint8_t* grey, const Cell& row, const Cell& column) {
  float sum = 0;
  for (int r = 0; r < row.count; ++r) {
    const uint8_t* line = grey + (row.start + r) * kScreenWidth + column.start;
    float lineSum = 0;
    for (int c = 0; c < column.count; ++c) lineSum += static_cast<float>(line[c]) * column.alpha[c];
    sum = r == 0 ? row.alpha[r] * lineSum : sum + row.alpha[r] * lineSum;
  }
  return static_cast<uint8_t>(std::lrintf(sum));
}

void resize(const uint8_t* grey, uint8_t* frame) {
  uint16_t line[kScreenWidth + 2] = {};
  for (int y = 0; y < kFrameHeight; ++y) {
    const Cell& row = kRows[y];
    const uint8_t* in = grey + row.start * kScreenWidth;
    for (int x = 0; x < kScreenWidth; ++x)
      line[x] = static_cast<uint16_t>(row.weight[0] * in[x] + row.weight[1] * in[x + kScreenWidth] + row.weight[2] * in[x + 2 * kScreenWidth]);
    uint8_t* out = frame + y * kFrameWidth;
    for (int x = 0; x < kFrameWidth; ++x) {
      const Cell& column = kColumns[x];
      const uint16_t* at = line + column.start;
      const uint32_t sum = column.weight[0] * at[0] + column.weight[1] * at[1] + column.weight[2] * at[2];
      const uint32_t rounded = (sum + kUnits / 2) / kUnits;
      out[x] = static_cast<uint8_t>(rounded);
      if (rounded * kUnits == sum + kUnits / 2) out[x] = inFloat(grey, row, column);
    }
  }
}

}  // namespace

Screen::Screen(const std::array<uint8_t, 256>& grey) : grey_(grey) {}

void Screen::toFrame(const uint8_t* first, const uint8_t* second, uint8_t* frame) const {
  alignas(32) uint8_t grey[kScreenSize];
  if (second == nullptr) second = first;
  greyMaximum(grey_, first, second, grey);
  resize(grey, frame);
}

}  // namespace anchorage::atari
