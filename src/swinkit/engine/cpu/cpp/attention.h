// Attention within one window: softmax(q k^T + position bias + mask) v, head by head (paper, eq. 4).

#pragma once

#include "norm.h"
#include "product.h"
#include "threads.h"

namespace swin {

// How a grid is cut into windows. Axes, shift, padding and border policy are all in these tables, which
// `windows.py` takes from the plain path's own layout.
struct Layout {
  const int32_t* rows;   // (windows, tokens): the row of the grid where a token lies, or -1: padding
  const int32_t* kinds;  // (windows): which of the masks; -1: none
  const float* masks;    // (masks, tokens, tokens rounded up to LANES)
  int32_t windows, tokens;
};

// q, k and v of a few heads at a time: groups of heads whose 3 * group * width columns fill panels well.
struct Attention {
  const float* weight;   // (groups) panels of (channels, columns), columns: [q | k | v] of the group's heads
  const float* bias;     // (groups, columns)
  const float* padding;  // (groups, columns): q, k and v of a token of padding, which is zero before them
  const float* offsets;  // position bias: (heads, tokens, tokens rounded up to LANES)
  const float* scale;    // V2: (heads), the temperatures of the cosine; null: a dot product, its scale folded
  int32_t heads, group;

  int groups() const { return (heads + group - 1) / group; }
};

// One window: where its tokens lie. Tokens of padding are not computed; they only are keys.
struct Window {
  int tokens, real;
  int32_t* rows;      // (real): rows of the grid
  int32_t* position;  // (real): the token's number in the window
  int32_t* keys;      // (tokens): which row of the queries' buffer holds a token's key; `real` for padding
  const float* mask;  // (tokens, round_up(tokens, LANES)) or null

  Window(const Layout& layout, int window, int32_t* memory)
      : tokens(layout.tokens), real(0), rows(memory), position(memory + tokens), keys(memory + 2 * tokens) {
    const int32_t* places = layout.rows + (long)window * tokens;
    for (int t = 0; t < tokens; t++) {
      if (places[t] < 0) continue;
      rows[real] = places[t];
      position[real++] = t;
    }
    for (int t = 0, next = 0; t < tokens; t++) keys[t] = places[t] < 0 ? real : next++;
    const int kind = layout.kinds[window];
    mask = kind < 0 ? nullptr : layout.masks + (long)kind * tokens * round_up(tokens, LANES);
  }
};

// A head's keys, transposed, and values, both as panels: the right sides of its two products.
inline Panels transposed_keys(const float* k, long stride, const Window& window, int width, float* memory) {
  const Panels panels{memory, width, round_up(window.tokens, LANES)};
  for (int first = 0; first < window.tokens; first += LANES) {
    const int panel = first / PANEL, columns = panels.width(panel);
    float* to = memory + (long)panel * PANEL * width + first % PANEL;
    for (int d = 0; d < width; d += LANES) {
      const int lanes = std::min(LANES, width - d);
      Vector square[LANES];
      for (int i = 0; i < LANES; i++) {
        const int token = std::min(first + i, window.tokens - 1);  // what fills the last vector is never seen
        square[i] = get(k + window.keys[token] * stride + d, lanes);
      }
      transpose(square);
      for (int i = 0; i < lanes; i++) store(to + (long)(d + i) * columns, square[i]);
    }
  }
  return panels;
}

inline Panels gathered_values(const float* v, long stride, const Window& window, int width, float* memory) {
  const Panels panels{memory, window.tokens, round_up(width, LANES)};
  for (int p = 0; p < panels.count(); p++) {
    float* to = memory + (long)p * PANEL * window.tokens;
    const int columns = panels.width(p), first = p * PANEL;
    for (int token = 0; token < window.tokens; token++) {
      const float* from = v + window.keys[token] * stride + first;
      for (int c = 0; c < columns; c += LANES) {
        const int lanes = std::min(LANES, width - first - c);
        store(to + (long)token * columns + c, get(from + c, lanes));
      }
    }
  }
  return panels;
}

// Each row of `rows` becomes `length` long (V2 paper, eq. 2); a row of zeros stays one.
inline void make_unit(float* x, long stride, int rows, int width, float length) {
  for (int r = 0; r < rows; r++, x += stride) {
    Vector squares = {};
    for_vectors(width, [&](int i, int lanes) { Vector y = get(x + i, lanes); squares += y * y; });
    const float scale = length / std::max(std::sqrt(sum(squares)), 1e-12f);
    for_vectors(width, [&](int i, int lanes) { put(x + i, get(x + i, lanes) * scale, lanes); });
  }
}

// scores := exp(scores + bias + mask - the row's largest); returns 1 / their sum.
// V: the vectors of a row, if they are few enough to stay in registers; else 0.
template <int V>
inline float exponentials(float* scores, const float* bias, const float* mask, int tokens) {
  const int vectors = V ? V : (tokens + LANES - 1) / LANES;
  Vector row[V ? V : 1], most = all(-3e38f), total = {};
  for (int v = 0; v < vectors; v++) {
    Vector s = load(scores + v * LANES) + load(bias + v * LANES);
    if (mask) s += load(mask + v * LANES);
    most = larger(most, s);
    if constexpr (V) row[v] = s;
    else store(scores + v * LANES, s);
  }
  const float highest = largest(most);
  for (int v = 0; v < vectors; v++) {
    const Vector weight = exponential((V ? row[V ? v : 0] : load(scores + v * LANES)) - highest);
    total += weight;
    store(scores + v * LANES, weight);
  }
  return 1.0f / sum(total);
}

// factors[r] := 1 / the sum of row r of exp(scores + bias + mask).
template <int V = 8>
inline void softmax_rows(float* scores, float* factors, const float* bias, const Window& window,
                         Range queries) {
  const int columns = round_up(window.tokens, LANES);
  if constexpr (V > 0) {
    if (columns != V * LANES) return softmax_rows<V - 1>(scores, factors, bias, window, queries);
  }
  for (int q = queries.begin; q < queries.end; q++, scores += columns) {
    const long row = (long)window.position[q] * columns;
    const float* mask = window.mask ? window.mask + row : nullptr;
    *factors++ = exponentials<V>(scores, bias + row, mask, window.tokens);
  }
}

constexpr int QUERIES = 64;  // as many rows of scores at a time stay in the caches

// One head. `q`, `k`, `v` are its columns in the buffer of the window's group; out: its columns of the grid.
inline void attend(const float* q, const float* k, const float* v, long stride, const Window& window,
                   int width, const float* bias, float* out, long out_stride, float* memory) {
  const int columns = round_up(window.tokens, LANES);
  Pieces pieces(memory);
  float* scores = pieces.take((long)QUERIES * columns);
  float* factors = pieces.take(QUERIES);
  const Panels keys = transposed_keys(k, stride, window, width, pieces.take((long)width * columns));
  const Panels values =
      gathered_values(v, stride, window, width, pieces.take((long)window.tokens * round_up(width, LANES)));
  for (int first = 0; first < window.real; first += QUERIES) {
    const int rows = std::min(QUERIES, window.real - first);
    product(q + first * stride, stride, rows, keys, {scores, columns, columns});
    softmax_rows(scores, factors, bias, window, {first, first + rows});
    product(scores, columns, rows, values, {out, out_stride, width, window.rows + first, nullptr, factors});
  }
}

inline size_t attend_memory(int tokens, int width) {
  const long columns = round_up(tokens, LANES);
  return Pieces::size(QUERIES * columns) + Pieces::size(QUERIES) + Pieces::size(width * columns) +
         Pieces::size((long)tokens * round_up(width, LANES));
}

}  // namespace swin
