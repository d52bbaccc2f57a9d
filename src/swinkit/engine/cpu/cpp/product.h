// Products of matrices, the nine tenths of a Swin's work.
//
// Weights lie in panels: PANEL neighbouring columns, row after row, so that the innermost loop reads them in
// order. The last panel is as narrow as whole vectors allow. `packing.py` lays them out.
// A tile of the result stays in registers while the whole depth is summed up.

#pragma once

#include <algorithm>

#include "vector.h"

namespace swin {

struct Range {
  int begin, end;
};

// (depth, columns) weights in panels; `columns` is a multiple of LANES.
struct Panels {
  const float* data;
  int depth, columns;

  int count() const { return (columns + PANEL - 1) / PANEL; }
  int width(int panel) const { return std::min(PANEL, columns - panel * PANEL); }
  const float* at(int panel, int row) const {
    return data + (long)panel * PANEL * depth + (long)row * width(panel);
  }
};

// What becomes of a product: out[r][c] = factor[r] * (sum + bias[c] + out[r][c]).
struct Result {
  float* out;
  long stride;                      // from row to row
  int columns;                      // what lies beyond is padding of the panels and not written
  const int32_t* places = nullptr;  // row r of the result is row places[r] of `out`; null: row r
  const float* bias = nullptr;      // of every column of the panels, padding too; null: none
  const float* factor = nullptr;    // null: 1
  bool added = false;               // to what is in `out`
  const float* next = nullptr;      // the weights of the next product, to be fetched during the last panel
};

// f(r, v) for each of R x V vectors, written out, so that they stay in registers.
template <int R, int V, class F>
inline void for_tile(const F& f) {
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) f(r, v);
  }
}

// R rows times V vectors of one panel.
template <int R, int V>
void tile(const float* a, long stride, const float* weights, int depth, const float* ahead, const Result& to,
          int row, int column) {
  Vector sums[R][V] = {};
  for (int k = 0; k < depth; k++) {
    __builtin_prefetch(ahead + k * 16, 0, 2);  // into the second cache
    Vector w[V];
    for (int v = 0; v < V; v++) w[v] = load(weights + (long)k * V * LANES + v * LANES);
    for_tile<R, V>([&](int r, int v) { sums[r][v] += a[r * stride + k] * w[v]; });
  }
  float* rows[R];
  for (int r = 0; r < R; r++)
    rows[r] = to.out + (to.places ? to.places[row + r] : row + r) * to.stride + column;
  const int columns = std::min(V * LANES, to.columns - column);  // the last vector may be cut short
  const auto lanes = [&](int v) { return std::clamp(columns - v * LANES, 0, LANES); };
  if (to.bias) for_tile<R, V>([&](int r, int v) { sums[r][v] += load(to.bias + column + v * LANES); });
  if (to.added && columns == V * LANES)
    for_tile<R, V>([&](int r, int v) { sums[r][v] += load(rows[r] + v * LANES); });
  else if (to.added)
    for_tile<R, V>([&](int r, int v) { sums[r][v] += load_part(rows[r] + v * LANES, lanes(v)); });
  if (to.factor) for_tile<R, V>([&](int r, int v) { sums[r][v] *= to.factor[row + r]; });
  if (columns == V * LANES)
    for_tile<R, V>([&](int r, int v) { store(rows[r] + v * LANES, sums[r][v]); });
  else
    for_tile<R, V>([&](int r, int v) { store_part(rows[r] + v * LANES, sums[r][v], lanes(v)); });
}

using Tile = void (*)(const float*, long, const float*, int, const float*, const Result&, int, int);

// The tile of given rows and vectors: the compiler must know both, so there is one of each.
template <int R, int V>
Tile find_tile(int rows, int vectors) {
  if constexpr (V > 1) {
    if (vectors < V) return find_tile<R, V - 1>(rows, vectors);
  }
  if constexpr (R > 1) {
    if (rows < R) return find_tile<R - 1, V>(rows, vectors);
  }
  return tile<R, V>;
}

constexpr int DEPTH = 384;  // a panel of so many rows stays in the first cache while all rows pass by

// (rows, depth) `a` times some panels of `weights`, of which only the rows in `depth` count. The result and
// its bias begin with the first of the panels.
// Rows are dealt evenly to tiles: 49 are seven times 7, not six times 8 and 1.
inline void product(const float* a, long stride, int rows, const Panels& weights, Range depth, Range panels,
                    const Result& result) {
  const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
  for (int begin = depth.begin; begin < depth.end; begin += DEPTH) {
    const int end = std::min(begin + DEPTH, depth.end);
    Result to = result;
    to.added = result.added || begin > depth.begin;
    to.factor = end == depth.end ? result.factor : nullptr;
    if (begin > depth.begin) to.bias = nullptr;
    for (int panel = panels.begin; panel < panels.end; panel++) {
      const float* w = weights.at(panel, begin);
      const int vectors = weights.width(panel) / LANES;
      // While a panel is worked on, each tile fetches a part of what comes next into the caches.
      const float* ahead = panel + 1 < panels.end ? weights.at(panel + 1, begin)
                           : end < depth.end      ? weights.at(panels.begin, end)
                           : result.next          ? result.next
                                                  : w;
      const Tile less = find_tile<TILE_ROWS, TILE_VECTORS>(rows / tiles, vectors);
      const Tile more = find_tile<TILE_ROWS, TILE_VECTORS>((rows + tiles - 1) / tiles, vectors);
      for (int t = 0; t < tiles; t++) {
        const int first = (long)t * rows / tiles, last = (long)(t + 1) * rows / tiles;
        (last - first > rows / tiles ? more : less)(
            a + first * stride + (begin - depth.begin), stride, w, end - begin,
            t * 16 < PANEL ? ahead + (long)t * 16 * (end - begin) : w, to, first,
            (panel - panels.begin) * PANEL);
      }
    }
  }
}

inline void product(const float* a, long stride, int rows, const Panels& weights, const Result& result) {
  product(a, stride, rows, weights, {0, weights.depth}, {0, weights.count()}, result);
}

}  // namespace swin
