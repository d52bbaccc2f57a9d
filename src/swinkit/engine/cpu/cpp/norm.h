// LayerNorm of rows, and the joining of a branch to the residual stream.

#pragma once

#include <cmath>

#include "vector.h"

namespace swin {

// epsilon < 0: there is no norm at this place of the block. No weight: the affine part is left to the
// product that follows, into whose weights it is folded.
struct Norm {
  const float* weight;
  const float* bias;
  float epsilon;

  bool exists() const { return epsilon >= 0; }
};

// f(offset, lanes) over `count` numbers, the last vector perhaps in part.
template <class F>
inline void for_vectors(int count, const F& f) {
  int i = 0;
  for (; i + LANES <= count; i += LANES) f(i, LANES);
  if (i < count) f(i, count - i);
}

inline Vector get(const float* x, int lanes) { return lanes == LANES ? load(x) : load_part(x, lanes); }

inline void put(float* x, Vector v, int lanes) { lanes == LANES ? store(x, v) : store_part(x, v, lanes); }

// (channels) -> (channels): out = norm(x); a copy where there is no norm.
inline void normalise(const float* x, float* out, int channels, const Norm& norm) {
  if (!norm.exists()) {
    std::memcpy(out, x, sizeof(float) * channels);
    return;
  }
  Vector total = {}, squares = {};
  for_vectors(channels, [&](int i, int lanes) { total += get(x + i, lanes); });
  const float mean = sum(total) / channels;
  for_vectors(channels, [&](int i, int lanes) {
    Vector difference = get(x + i, lanes) - mean;
    if (lanes < LANES) difference = load_part(reinterpret_cast<float*>(&difference), lanes);
    squares += difference * difference;
  });
  const float scale = 1.0f / std::sqrt(sum(squares) / channels + norm.epsilon);
  for_vectors(channels, [&](int i, int lanes) {
    Vector y = (get(x + i, lanes) - mean) * scale;
    if (norm.weight) y = y * get(norm.weight + i, lanes) + get(norm.bias + i, lanes);
    put(out + i, y, lanes);
  });
}

// Asks for rows that are needed soon, so that their ways from memory overlap.
inline void fetch(const float* x, long count) {
  for (long i = 0; i < count; i += 16) __builtin_prefetch(x + i);
}

// out = x + norm(branch); `branch` is written over.
inline void join(const float* x, float* branch, float* out, int channels, const Norm& norm) {
  if (norm.exists()) normalise(branch, branch, channels, norm);
  for_vectors(channels, [&](int i, int lanes) {
    put(out + i, get(x + i, lanes) + get(branch + i, lanes), lanes);
  });
}

}  // namespace swin
