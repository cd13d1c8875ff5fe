#include "drawing.h"

#include <array>
#include <limits>

namespace anchorage::mujoco {
namespace {

const Vec3 kToLight = normalized({-0.45f, -0.55f, 1.0f});
constexpr float kLightSpread = 0.06f;
constexpr Vec3 kLight{2.3f, 2.15f, 1.95f};
constexpr Vec3 kSkyLight{0.42f, 0.5f, 0.62f};
constexpr Vec3 kGroundLight{0.22f, 0.2f, 0.18f};
constexpr Vec3 kHorizon{0.78f, 0.85f, 0.92f};
constexpr Vec3 kZenith{0.2f, 0.38f, 0.66f};
constexpr Vec3 kFieldLight{0.42f, 0.47f, 0.53f};
constexpr Vec3 kFieldDark{0.24f, 0.29f, 0.36f};
constexpr float kMirror = 0.12f;  // of the floor
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What a ray shows. `edge`: pixels with another neighbour are drawn again with more rays.
struct Sight {
  Vec3 colour;
  int edge;
};

class Drawing {
 public:
  Drawing(const Scene& scene, int width, int height);

  Picture picture();

 private:
  // A shape that may show in a row of pixels, between two columns.
  struct InRow {
    const Shape* shape;
    float left, right;
  };
  struct Ball {
    Vec3 middle;
    float radius;
  };
  struct Found {
    const Shape* shape = nullptr;
    Hit hit{kInfinity, {}};
  };
  static constexpr int kFloor = 1000, kSky = 2000, kMirrored = 10000;

  Vec3 direction(float x, float y) const;
  Sight look(float x, float y) const;
  Found nearest(const Ray& ray, const std::vector<InRow>& among, float x) const;
  std::vector<InRow> seenInRow(int y, bool mirrored) const;
  void beginRow(int y);
  Vec3 lit(const Shape& shape, Vec3 point, Vec3 normal, Vec3 along) const;
  Sight floorAt(const Ray& ray, float distance, float x, float y) const;
  float pattern(Vec3 point, float x, float y) const;
  float sunlight(Vec3 point, const Shape* own) const;
  float skylight(Vec3 point, Vec3 normal, const Shape* own) const;

  const Scene& scene_;
  int width_, height_;
  float scale_;  // of a pixel at distance 1
  std::vector<InRow> inRow_, mirroredInRow_;
  std::vector<Ball> balls_;  // around each shape
};

Vec3 sky(Vec3 along) { return mix(kHorizon, kZenith, unit(along.z * 1.4f)); }

Drawing::Drawing(const Scene& scene, int width, int height)
    : scene_(scene), width_(width), height_(height), scale_(2 * scene.camera.halfHeight / static_cast<float>(height)) {
  for (const Shape& shape : scene.shapes) balls_.push_back({shape.middle(), shape.reach()});
}

// Not of length 1. Pixels from the top left.
Vec3 Drawing::direction(float x, float y) const {
  const Camera& c = scene_.camera;
  const float right = (x - static_cast<float>(width_) / 2) * scale_, up = (static_cast<float>(height_) / 2 - y) * scale_;
  return c.forward + c.right * right + c.up * up;
}

Drawing::Found Drawing::nearest(const Ray& ray, const std::vector<InRow>& among, float x) const {
  Found found;
  for (const InRow& candidate : among) {
    if (x < candidate.left || x > candidate.right) continue;
    const Hit hit = meet(*candidate.shape, ray);
    if (hit.distance < found.hit.distance) found = {candidate.shape, hit};
  }
  return found;
}

// By the ball around each shape, generously. `mirrored`: in the floor.
std::vector<Drawing::InRow> Drawing::seenInRow(int y, bool mirrored) const {
  const Camera& c = scene_.camera;
  std::vector<InRow> seen;
  for (const Shape& shape : scene_.shapes) {
    Vec3 middle = shape.middle();
    if (mirrored) middle.z = 2 * scene_.floor - middle.z;
    const Vec3 offset = middle - c.eye;
    const float depth = dot(offset, c.forward), reach = shape.reach();
    if (depth + reach <= 0) continue;
    if (depth <= 1.5f * reach) {  // the camera is nearly inside
      seen.push_back({&shape, 0, static_cast<float>(width_)});
      continue;
    }
    const float row = static_cast<float>(height_) / 2 - dot(offset, c.up) / depth / scale_;
    const float column = static_cast<float>(width_) / 2 + dot(offset, c.right) / depth / scale_;
    const float size = 1.3f * reach / (depth - reach) / scale_ + 2;
    if (std::abs(static_cast<float>(y) + 0.5f - row) <= size) seen.push_back({&shape, column - size, column + size});
  }
  return seen;
}

void Drawing::beginRow(int y) {
  inRow_ = seenInRow(y, false);
  mirroredInRow_ = seenInRow(y, true);
}

// Share of the sun that is seen.
float Drawing::sunlight(Vec3 point, const Shape* own) const {
  float share = 1;
  for (size_t i = 0; i < balls_.size(); i++) {
    const Vec3 offset = balls_[i].middle - point;
    const float before = dot(offset, kToLight), reach = balls_[i].radius + std::max(before + balls_[i].radius, 0.0f) * kLightSpread;
    if (before < -balls_[i].radius || dot(offset, offset) - before * before > reach * reach) continue;
    const Shape& shape = scene_.shapes[i];
    if (&shape != own) share = std::min(share, lightPast(shape, {point, kToLight}, kLightSpread));
  }
  return share;
}

// Share of the sky that is seen.
float Drawing::skylight(Vec3 point, Vec3 normal, const Shape* own) const {
  float share = 1;
  for (size_t i = 0; i < balls_.size(); i++) {
    const Shape& shape = scene_.shapes[i];
    const Vec3 offset = balls_[i].middle - point;
    const float far = balls_[i].radius + 9 * shape.radius;  // from there on it covers less than a hundredth
    if (dot(offset, offset) < far * far && &shape != own) share *= 1 - 0.75f * skyCovered(shape, point, normal);
  }
  return share;
}

Vec3 Drawing::lit(const Shape& shape, Vec3 point, Vec3 normal, Vec3 along) const {
  const float facing = dot(normal, kToLight);
  const float sun = facing > 0 ? facing * sunlight(point, &shape) : 0;
  const Vec3 ambient = mix(kGroundLight, kSkyLight, 0.5f + 0.5f * normal.z) * skylight(point, normal, &shape);
  const Vec3 halfway = normalized(kToLight - along);
  const float shine = sun > 0 ? 0.25f * std::pow(unit(dot(normal, halfway)), 48.0f) * sun : 0;
  const float rim = std::pow(1 - unit(-dot(normal, along)), 4.0f) * 0.12f;
  return shape.colour * (kLight * sun * 0.75f + ambient) + kLight * shine + kHorizon * rim;
}

// 0 to 1 over the fields of a chessboard, averaged over the pixel's own footprint: no flicker far away.
float Drawing::pattern(Vec3 point, float x, float y) const {
  const auto onFloor = [&](float px, float py) {
    const Vec3 along = direction(px, py);
    return scene_.camera.eye + along * ((scene_.floor - scene_.camera.eye.z) / std::min(along.z, -1e-4f));
  };
  const Vec3 byX = onFloor(x + 1, y) - point, byY = onFloor(x, y + 1) - point;
  // integral of the square wave that is +1 in even fields and -1 in odd ones: a triangle wave
  const auto triangle = [](float t) { return std::abs(t - 2 * std::floor(t / 2) - 1); };
  const auto average = [&](float at, float footprint) {
    const float middle = at / scene_.square, width = std::max(footprint / scene_.square, 0.01f);
    return (triangle(middle - width / 2) - triangle(middle + width / 2)) / width;
  };
  const float wave = average(point.x, std::abs(byX.x) + std::abs(byY.x)) * average(point.y, std::abs(byX.y) + std::abs(byY.y));
  return 0.5f + 0.5f * wave;
}

Sight Drawing::floorAt(const Ray& ray, float distance, float x, float y) const {
  const Vec3 point = ray.from + ray.along * distance;
  const Vec3 up{0, 0, 1};
  Vec3 colour = mix(kFieldDark, kFieldLight, pattern(point, x, y));
  colour = colour * (kLight * (kToLight.z * sunlight(point, nullptr) * 0.55f) + kSkyLight * skylight(point, up, nullptr));
  const Ray mirrored{point, {ray.along.x, ray.along.y, -ray.along.z}};
  const Found found = nearest(mirrored, mirroredInRow_, x);
  int edge = kFloor;
  const float grazing = 1 - unit(-ray.along.z);
  const float mirror = kMirror + 0.25f * grazing * grazing * grazing * grazing;
  if (found.shape != nullptr) {
    const Vec3 at = point + mirrored.along * found.hit.distance;
    colour = mix(colour, lit(*found.shape, at, found.hit.normal, mirrored.along), mirror);
    edge = kMirrored + static_cast<int>(found.shape - scene_.shapes.data());
  } else {
    colour = mix(colour, sky(mirrored.along), mirror * 0.8f);
  }
  const float eyeHeight = scene_.camera.eye.z - scene_.floor;
  const float haze = distance * distance / (distance * distance + 700 * eyeHeight * eyeHeight);
  return {mix(colour, kHorizon, haze), edge};
}

Sight Drawing::look(float x, float y) const {
  const Ray r{scene_.camera.eye, normalized(direction(x, y))};
  const Found found = nearest(r, inRow_, x);
  const float down = (scene_.floor - r.from.z) / r.along.z;
  const float toFloor = r.along.z < -1e-4f ? down : kInfinity;
  if (found.hit.distance < toFloor) {
    const Vec3 point = r.from + r.along * found.hit.distance;
    return {lit(*found.shape, point, found.hit.normal, r.along), static_cast<int>(found.shape - scene_.shapes.data())};
  }
  if (toFloor < kInfinity) return floorAt(r, toFloor, x, y);
  return {sky(r.along), kSky};
}

// From linear light to a byte: a soft shoulder instead of burnt-out highlights, then sRGB's curve.
uint8_t encoded(float channel) {
  constexpr int kEntries = 4096;
  constexpr float kBrightest = 2.0f;
  static const std::array<uint8_t, kEntries + 1> table = [] {
    std::array<uint8_t, kEntries + 1> filled{};
    for (int i = 0; i <= kEntries; i++) {
      const float light = kBrightest * static_cast<float>(i) / kEntries;
      const float toned = light < 0.6f ? light : 0.6f + 0.4f * std::tanh((light - 0.6f) / 0.4f);
      const float curve = toned <= 0.0031308f ? 12.92f * toned : 1.055f * std::pow(toned, 1 / 2.4f) - 0.055f;
      filled[static_cast<size_t>(i)] = static_cast<uint8_t>(std::lround(255 * unit(curve)));
    }
    return filled;
  }();
  if (!(channel > 0)) return 0;  // also NaN, from a state that is finite in float64 only
  return table[static_cast<size_t>(std::min(channel, kBrightest) * (kEntries / kBrightest) + 0.5f)];
}

Picture Drawing::picture() {
  const size_t width = static_cast<size_t>(width_), height = static_cast<size_t>(height_);
  std::vector<Sight> sights(width * height);
  for (int y = 0; y < height_; y++) {
    beginRow(y);
    for (int x = 0; x < width_; x++)
      sights[static_cast<size_t>(y) * width + static_cast<size_t>(x)] = look(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
  }
  constexpr std::array<std::array<float, 2>, 4> kMore{{{0.375f, 0.125f}, {0.875f, 0.375f}, {0.125f, 0.625f}, {0.625f, 0.875f}}};
  Picture picture{width_, height_, false, std::vector<uint8_t>(3 * width * height)};
  for (int y = 0; y < height_; y++) {
    beginRow(y);
    for (int x = 0; x < width_; x++) {
      const size_t i = static_cast<size_t>(y) * width + static_cast<size_t>(x);
      const int edge = sights[i].edge;
      Vec3 colour = sights[i].colour;
      if ((x > 0 && sights[i - 1].edge != edge) || (x + 1 < width_ && sights[i + 1].edge != edge) ||
          (y > 0 && sights[i - width].edge != edge) || (y + 1 < height_ && sights[i + width].edge != edge)) {
        for (const auto& [dx, dy] : kMore) colour = colour + look(static_cast<float>(x) + dx, static_cast<float>(y) + dy).colour;
        colour = colour * (1.0f / (1 + kMore.size()));
      }
      picture.rgb[3 * i] = encoded(colour.x);
      picture.rgb[3 * i + 1] = encoded(colour.y);
      picture.rgb[3 * i + 2] = encoded(colour.z);
    }
  }
  return picture;
}

}  // namespace

Picture draw(const Scene& scene, int width, int height) { return Drawing(scene, width, height).picture(); }

}  // namespace anchorage::mujoco
