// Several rows side by side become one: patch merging (paper, section 3.1), and patch embedding, where a row
// is a run of neighbouring pixels.

#pragma once

#include "block.h"

namespace swin {

// `table` has for every row of the result the `parts` rows, of `channels` numbers each, that it is made from;
// -1 stands for zeros.
struct Reduction {
  const int32_t* table;
  int32_t parts, channels;
  Norm before;
  Linear linear;
  Norm after;
};

constexpr int STRIP = 64;  // rows of the result at a time

inline void gather(const Reduction& reduction, const float* x, const int32_t* from, float* row) {
  const int channels = reduction.channels;
  for (int part = 0; part < reduction.parts; part++, row += channels) {
    if (from[part] < 0) std::memset(row, 0, sizeof(float) * channels);
    else std::memcpy(row, x + (long)from[part] * channels, sizeof(float) * channels);
  }
}

// x (images, rows in, channels) -> out (images, rows, columns).
inline void reduce_rows(const Threads& threads, const Reduction& reduction, const float* x, float* out,
                        int images, long numbers, int rows, int columns) {
  const int depth = reduction.linear.weight.depth, panels = reduction.linear.weight.count();
  const int strips = (rows + STRIP - 1) / STRIP, shares = parts(images * strips, threads.count, panels);
  for_each(threads, images * strips * shares, [&](int task) {
    const int image = task / shares / strips, strip = task / shares % strips, share = task % shares;
    const int first = (long)strip * rows / strips, last = (strip + 1L) * rows / strips;
    const Range some{share * panels / shares, (share + 1) * panels / shares};
    float* gathered = own_memory().at_least((long)STRIP * depth);
    for (int r = first; r < last; r++) {
      float* row = gathered + (long)(r - first) * depth;
      gather(reduction, x + image * numbers, reduction.table + (long)r * reduction.parts, row);
      if (reduction.before.exists()) normalise(row, row, depth, reduction.before);
    }
    const int column = some.begin * PANEL;
    float* to = out + ((long)image * rows + first) * columns;
    product(gathered, depth, last - first, reduction.linear.weight, {0, depth}, some,
            {to + column, columns, std::min(columns, some.end * PANEL) - column, nullptr,
             reduction.linear.bias + column});
    if (shares == 1 && reduction.after.exists())
      for (int r = 0; r < last - first; r++, to += columns) normalise(to, to, columns, reduction.after);
  });
  if (shares > 1 && reduction.after.exists())
    for_each(threads, images * rows, [&](int r) {
      normalise(out + (long)r * columns, out + (long)r * columns, columns, reduction.after);
    });
}

}  // namespace swin
