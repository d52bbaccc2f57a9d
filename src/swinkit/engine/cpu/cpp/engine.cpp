// What Python calls. Plain C functions over plain structures, of which `library.py` knows the same fields.

#include "block.h"
#include "reduce.h"

using namespace swin;

extern "C" {

// How `packing.py` must lay out weights.
void swin_shape(int32_t* lanes, int32_t* panel) {
  *lanes = LANES;
  *panel = PANEL;
}

// (images, tokens, channels) x -> out, through `count` blocks. Images pass in portions that fit the caches.
void swin_blocks(const Threads* threads, const Block* blocks, int32_t count, const float* x, float* out,
                 int32_t images, int32_t tokens, int32_t channels) {
  static thread_local Memory memory;
  const long size = (long)tokens * channels;
  const long rows = std::max(PORTION / channels, 4L * LONGEST_STRIP * threads->count);
  const int portion = std::clamp(rows / tokens, 1L, (long)images);
  const int portions = (images + portion - 1) / portion;
  for (int p = 0; p < portions; p++) {
    const long first = (long)p * images / portions, last = (p + 1L) * images / portions;
    float* mixed = memory.at_least((last - first) * size);
    for (int b = 0; b < count; b++)
      run_block(*threads, blocks[b], (b ? out : x) + first * size, mixed, out + first * size, last - first,
                tokens, channels);
  }
}

// (images, numbers) x -> (images, rows, columns) out: patch merging and patch embedding.
void swin_reduce(const Threads* threads, const Reduction* reduction, const float* x, float* out,
                 int32_t images, int64_t numbers, int32_t rows, int32_t columns) {
  reduce_rows(*threads, *reduction, x, out, images, numbers, rows, columns);
}

}  // extern "C"
