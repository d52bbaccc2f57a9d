// Blocks in the two orders that Swin uses (paper, eq. 3; V2 paper, section 3.2), each in two sweeps:
// windows of tokens, which see each other, then strips of rows, which do not. What lies between a sweep's
// products stays in the caches.

#pragma once

#include "attention.h"
#include "threads.h"

namespace swin {

struct Linear {
  Panels weight;
  const float* bias;  // (weight.columns)
};

struct Block {
  Layout layout;
  Attention attention;
  Linear projection, expand, shrink;
  Norm before_attention, after_attention, before_mlp, after_mlp, after_block;
};

constexpr int HIDDEN = 384;         // columns of the MLP's inside that are computed at a time
constexpr int LONGEST_STRIP = 128;  // rows
constexpr int LEAST_STRIP = 24;     // with fewer rows for each thread, threads share the columns instead
constexpr long STRIP_NUMBERS = 160000;  // that a strip keeps in the second cache
constexpr int SHARES = 2;           // of each thread, where threads share columns
constexpr int AHEAD = 4;  // rows of a window, which lie apart, are asked for so many rows early
constexpr long PORTION = 1 << 19;        // numbers of images that pass through the blocks together

static_assert(HIDDEN % PANEL == 0, "the MLP's inside is cut between panels");
static_assert(HIDDEN == DEPTH, "sums are formed in the same order, however threads share the work");

// Tokens of one window, through some groups of heads: x (rows, channels) -> out (rows, channels).
inline void attend_window(const Block& block, const float* x, float* out, int channels, int window_number,
                          Range groups) {
  const Attention& heads = block.attention;
  const Layout& layout = block.layout;
  const int width = channels / heads.heads, stride = round_up(3 * heads.group * width, LANES);
  const int tokens = layout.tokens;
  Pieces pieces(own_memory().at_least(Pieces::size(3 * tokens) + Pieces::size((long)tokens * channels) +
                                      Pieces::size((tokens + 1L) * stride) + attend_memory(tokens, width)));
  const Window window(layout, window_number, reinterpret_cast<int32_t*>(pieces.take(3 * tokens)));
  float* normed = pieces.take((long)tokens * channels);
  float* qkv = pieces.take((tokens + 1L) * stride);
  float* memory = pieces.rest();
  if (!window.real) return;  // padding alone

  for (int r = 0; r < window.real; r++) {
    if (r + AHEAD < window.real) fetch(x + (long)window.rows[r + AHEAD] * channels, channels);
    normalise(x + (long)window.rows[r] * channels, normed + (long)r * channels, channels,
              block.before_attention);
  }
  for (int group = groups.begin; group < groups.end; group++) {
    const Panels weight{heads.weight + (long)group * channels * stride, channels, stride};
    Result to{qkv, stride, stride, nullptr, heads.bias + group * stride};
    to.next = weight.data + (long)channels * stride;  // of the next group; at the end, harmless
    product(normed, channels, window.real, weight, to);
    if (window.real < tokens)
      std::memcpy(qkv + (long)window.real * stride, heads.padding + group * stride, sizeof(float) * stride);
    const int rows = std::min(window.real + 1, tokens), section = heads.group * width;
    const int first = group * heads.group, last = std::min(first + heads.group, heads.heads);
    for (int head = first; head < last; head++) {
      float* q = qkv + (head - first) * width;
      if (heads.scale) {
        make_unit(q, stride, window.real, width, heads.scale[head]);
        make_unit(q + section, stride, rows, width, 1.0f);
      }
      attend(q, q + section, q + 2 * section, stride, window, width,
             heads.offsets + (long)head * tokens * round_up(tokens, LANES), out + head * width, channels,
             memory);
    }
  }
}

inline void activate(float* x, int count) {
  for_vectors(count, [&](int i, int lanes) { put(x + i, gelu(get(x + i, lanes)), lanes); });
}

// Rows after a product: out = x + norm(branch), and what the next product takes, `normed`.
inline void join_rows(const float* x, float* branch, float* out, float* normed, Range rows, int channels,
                      const Norm& after, const Norm& before) {
  for (long i = (long)rows.begin * channels; i < (long)rows.end * channels; i += channels) {
    join(x + i, branch + i, out + i, channels, after);
    if (normed) normalise(out + i, normed + i, channels, before);
  }
}

// The end of a block for some rows.
inline void finish_rows(float* x, float* branch, Range rows, int channels, const Block& block) {
  join_rows(x, branch, x, nullptr, rows, channels, block.after_mlp, block.after_mlp);
  if (block.after_block.exists())
    for (int r = rows.begin; r < rows.end; r++)
      normalise(x + (long)r * channels, x + (long)r * channels, channels, block.after_block);
}

// All that follows attention, for a strip of rows: projection and MLP, each joined to the residual stream.
inline void finish_strip(const Block& block, const float* x, const float* mixed, float* out, int channels,
                         int rows) {
  const int hidden = block.expand.weight.columns;
  const size_t grid = (size_t)rows * channels, wide = (size_t)rows * HIDDEN;
  Pieces pieces(own_memory().at_least(2 * Pieces::size(grid) + Pieces::size(wide)));
  float *branch = pieces.take(grid), *normed = pieces.take(grid), *inside = pieces.take(wide);
  fetch(mixed, (long)rows * channels);
  Result mixture{branch, channels, channels, nullptr, block.projection.bias};
  mixture.next = block.expand.weight.data;
  product(mixed, channels, rows, block.projection.weight, mixture);
  join_rows(x, branch, out, normed, {0, rows}, channels, block.after_attention, block.before_mlp);
  for (int begin = 0; begin < hidden; begin += HIDDEN) {
    const int end = std::min(begin + HIDDEN, hidden);
    const Range panels{begin / PANEL, (end + PANEL - 1) / PANEL};
    Result wide{inside, HIDDEN, end - begin, nullptr, block.expand.bias + begin};
    wide.next = block.shrink.weight.at(0, begin);
    product(normed, channels, rows, block.expand.weight, {0, channels}, panels, wide);
    for (int r = 0; r < rows; r++) activate(inside + (long)r * HIDDEN, end - begin);
    Result sum{branch, channels, channels, nullptr, begin ? nullptr : block.shrink.bias};
    sum.added = begin > 0;
    sum.next = block.expand.weight.at(std::min(panels.end, block.expand.weight.count() - 1), 0);
    product(inside, HIDDEN, rows, block.shrink.weight, {begin, end}, {0, block.shrink.weight.count()}, sum);
  }
  finish_rows(out, branch, {0, rows}, channels, block);
}

// A product whose columns the threads share.
inline void shared_product(const Threads& threads, const float* a, int rows, const Linear& linear, float* out,
                           int columns, bool activated) {
  const int panels = linear.weight.count(), shares = std::min(panels, SHARES * threads.count);
  const int strips = (rows + LONGEST_STRIP - 1) / LONGEST_STRIP;
  for_each(threads, shares * strips, [&](int task) {
    const int share = task / strips, strip = task % strips;
    const Range some{share * panels / shares, (share + 1) * panels / shares};
    const int first = (long)strip * rows / strips, last = (long)(strip + 1) * rows / strips;
    const int column = some.begin * PANEL, depth = linear.weight.depth;
    float* to = out + (long)first * columns + column;
    const int width = std::min(columns, some.end * PANEL) - column;
    product(a + (long)first * depth, depth, last - first, linear.weight, {0, depth}, some,
            {to, columns, width, nullptr, linear.bias + column});
    if (activated)
      for (int r = 0; r < last - first; r++) activate(to + (long)r * columns, width);
  });
}

// As `finish_strip`, for so few rows that the threads share the columns of every product.
inline void finish_together(const Threads& threads, const Block& block, const float* x, const float* mixed,
                            float* out, int channels, int rows) {
  const int hidden = block.expand.weight.columns;
  static thread_local Memory memory;
  const size_t grid = (size_t)rows * channels, wide = (size_t)rows * hidden;
  Pieces pieces(memory.at_least(2 * Pieces::size(grid) + Pieces::size(wide)));
  float *branch = pieces.take(grid), *normed = pieces.take(grid), *inside = pieces.take(wide);
  const auto each_row = [&](const auto& work) {
    const int shares = std::min(rows, threads.count);
    for_each(threads, shares, [&](int i) {
      work(Range{(int)((long)i * rows / shares), (int)((i + 1L) * rows / shares)});
    });
  };
  shared_product(threads, mixed, rows, block.projection, branch, channels, false);
  each_row([&](Range some) {
    join_rows(x, branch, out, normed, some, channels, block.after_attention, block.before_mlp);
  });
  shared_product(threads, normed, rows, block.expand, inside, hidden, true);
  shared_product(threads, inside, rows, block.shrink, branch, channels, false);
  each_row([&](Range some) { finish_rows(out, branch, some, channels, block); });
}

// One block, for `images` grids of `tokens` rows: x -> out, which may be the same. `mixed` is room for as
// much.
inline void run_block(const Threads& threads, const Block& block, const float* x, float* mixed, float* out,
                      int images, int tokens, int channels) {
  const int windows = images * block.layout.windows, groups = block.attention.groups();
  const int shares = parts(windows, threads.count, groups);
  for_each(threads, windows * shares, [&](int task) {
    const int share = task % shares, window = task / shares;
    const long grid = (long)(window / block.layout.windows) * tokens * channels;
    attend_window(block, x + grid, mixed + grid, channels, window % block.layout.windows,
                  {share * groups / shares, (share + 1) * groups / shares});
  });
  const int rows = images * tokens;
  if (threads.count > 1 && rows < LEAST_STRIP * threads.count)
    return finish_together(threads, block, x, mixed, out, channels, rows);
  const int fitting = std::clamp((int)(STRIP_NUMBERS / (3 * channels + HIDDEN)), 32, LONGEST_STRIP);
  int strips = (rows + fitting - 1) / fitting;
  if (strips < 8 * threads.count) strips = round_up(strips, threads.count);
  for_each(threads, strips, [&](int strip) {
    const long first = (long)strip * rows / strips, last = (strip + 1L) * rows / strips;
    finish_strip(block, x + first * channels, mixed + first * channels, out + first * channels, channels,
                 last - first);
  });
}

}  // namespace swin
