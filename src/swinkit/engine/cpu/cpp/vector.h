// One vector register of the machine, and the functions of it that a Swin needs.
//
// The compiler's own vector types stand for the registers, so that one source serves every instruction set:
// operators work lane by lane, `number * vector` broadcasts, and a product and a sum become one fused
// instruction (-ffp-contract=fast). Only the constants below know which machine it is.

#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace swin {

// A tile of a product is TILE_ROWS x (TILE_VECTORS * LANES) sums, which must all fit into registers, with a
// row of weights beside them.
#if defined(__AVX512F__)
constexpr int LANES = 16, TILE_ROWS = 8, TILE_VECTORS = 3;  // 24 + 3 of 32 registers
#elif defined(__AVX2__)
constexpr int LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2;  // 12 + 2 of 16 registers
#else
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;  // NEON: 24 + 4 of 32 registers
#endif
constexpr int PANEL = TILE_VECTORS * LANES;  // columns of weights that lie together (product.h)

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef int32_t Integers __attribute__((vector_size(4 * LANES)));

inline int round_up(int number, int multiple) { return (number + multiple - 1) / multiple * multiple; }

inline Vector load(const float* from) {
  Vector x;
  std::memcpy(&x, from, sizeof x);  // one instruction; memory need not be aligned
  return x;
}

inline void store(float* to, Vector x) { std::memcpy(to, &x, sizeof x); }

// The first `count` lanes, and zeros.
inline Vector load_part(const float* from, int count) {
  Vector x = {};
  std::memcpy(&x, from, sizeof(float) * count);
  return x;
}

inline void store_part(float* to, Vector x, int count) { std::memcpy(to, &x, sizeof(float) * count); }

inline Vector all(float number) { return number - Vector{}; }

// Of what is no number (NaN), b's passes and a's does not.
inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }

inline Vector smaller(Vector a, Vector b) { return a < b ? a : b; }

// Lanes of a and b: lane j of the result is lane from(j) of both, b's counted on from LANES.
#if defined(__clang__)
template <int (*FROM)(int), int... J>
inline Vector choose(Vector a, Vector b, std::integer_sequence<int, J...>) {
  return __builtin_shufflevector(a, b, FROM(J)...);
}
#else
template <int (*FROM)(int), int... J>
inline Vector choose(Vector a, Vector b, std::integer_sequence<int, J...>) {
  return __builtin_shuffle(a, b, Integers{FROM(J)...});
}
#endif
using Lanes = std::make_integer_sequence<int, LANES>;

template <int D>
constexpr int turned(int lane) {
  return (lane + D) % LANES;
}

// f(f(x0, x1), f(x2, x3)) ... over all lanes, for an f such as plus or max.
template <int D = LANES / 2, class F>
inline float reduce(Vector x, const F& f) {
  if constexpr (D == 0) {
    return x[0];
  } else {
    return reduce<D / 2>(f(x, choose<turned<D>>(x, x, Lanes{})), f);
  }
}

inline float sum(Vector x) {
  return reduce(x, [](Vector a, Vector b) { return a + b; });
}

inline float largest(Vector x) {
  return reduce(x, [](Vector a, Vector b) { return larger(a, b); });
}

template <int D>
constexpr int low(int lane) {
  return lane & D ? LANES + lane - D : lane;
}

template <int D>
constexpr int high(int lane) {
  return lane & D ? LANES + lane : lane + D;
}

// LANES rows of LANES numbers: rows become columns, by exchanging squares of D x D for D = 1, 2, 4, ...
template <int D = 1>
inline void transpose(Vector (&rows)[LANES]) {
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) {
    if (i & D) continue;
    const Vector a = rows[i], b = rows[i + D];
    rows[i] = choose<low<D>>(a, b, Lanes{});
    rows[i + D] = choose<high<D>>(a, b, Lanes{});
  }
  if constexpr (2 * D < LANES) transpose<2 * D>(rows);
}

// e^x for x <= 0, the only side that a softmax needs; below -87 the smallest number, not zero; NaN of NaN.
// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by the polynomial of Cephes' expf (relative error 2e-7).
inline Vector exponential(Vector x) {
  x = larger(all(-87.0f), x);
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, left in the low bits
  Vector shifted = x * 1.44269504f + magic;
  Vector n = shifted - magic;
  Vector r = x - n * 0.693359375f;  // ln 2 in two parts, the first exact in few bits
  r = r + n * 2.12194440e-4f;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + (r + 1.0f);
  Integers bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23;  // 2^n; the magic number's own bits leave at the top
  Vector power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

// x * Phi(x), with the rational approximation of erf that Eigen and XNNPACK use (error below 4e-7).
inline Vector gelu(Vector x) {
  Vector t = smaller(all(4.0f), larger(all(-4.0f), x * 0.70710678f));
  Vector z = t * t;
  Vector a = z * -2.72614225801306e-10f + 2.77068142495902e-08f;
  a = a * z - 2.10102402082508e-06f;
  a = a * z - 5.69250639462346e-05f;
  a = a * z - 7.34990630326855e-04f;
  a = a * z - 2.95459980854025e-03f;
  a = a * z - 1.60960333262415e-02f;
  Vector b = z * -1.45660718464996e-05f - 2.13374055278905e-04f;
  b = b * z - 1.68282697438203e-03f;
  b = b * z - 7.37332916720468e-03f;
  b = b * z - 1.42647390514189e-02f;
  Vector half = x * 0.5f;
  return half * (t * a / b) + half;
}

}  // namespace swin
