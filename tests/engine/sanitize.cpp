// Models of random numbers on grids of random sizes, for the sanitizers: test_sanitized.py.
//
// Every array is as long as it must be and no longer, and gaps lie between the pieces of the engine's own memory
// (`threads.h`), so that a read or write beside one is caught. That the answers are right is tested from Python;
// here they only have to be finite.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "../../src/swinkit/engine/cpu/cpp/engine.cpp"

static std::mt19937 generator;

static int draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(generator); }

// Arrays that live until the end of a trial.
struct Arrays {
  std::vector<std::unique_ptr<float[]>> floats;
  std::vector<std::unique_ptr<int32_t[]>> integers;

  float* random(long count) {
    floats.emplace_back(new float[count]);
    std::normal_distribution<float> normal(0.0f, 0.5f);
    for (long i = 0; i < count; i++) floats.back()[i] = normal(generator);
    return floats.back().get();
  }

  int32_t* room(long count) {
    integers.emplace_back(new int32_t[count]);
    return integers.back().get();
  }

  Linear linear(int depth, int columns) {
    const int wide = round_up(columns, LANES);
    return {{random((long)depth * wide), depth, wide}, random(wide)};
  }

  Norm norm(int kind, int channels) {  // 0: none, 1: without its affine part, 2: whole
    if (kind == 0) return {nullptr, nullptr, -1.0f};
    if (kind == 1) return {nullptr, nullptr, 1e-5f};
    return {random(channels), random(channels), 1e-5f};
  }
};

// Every token of the grid in one place of some window, the other places padding: any policy's layout.
static Layout layout(Arrays& arrays, int grid, int tokens) {
  const int windows = (grid + tokens - 1) / tokens + draw(0, 1), places = windows * tokens;
  std::vector<int32_t> rows(places, -1);
  for (int i = 0; i < grid; i++) rows[i] = i;
  std::shuffle(rows.begin(), rows.end(), generator);
  const int masks = draw(0, 2);
  int32_t *table = arrays.room(places), *kinds = arrays.room(windows);
  std::copy(rows.begin(), rows.end(), table);
  for (int w = 0; w < windows; w++) kinds[w] = draw(-1, masks - 1);
  return {table, kinds, arrays.random((long)masks * tokens * round_up(tokens, LANES)), windows, tokens};
}

static Block block(Arrays& arrays, int grid, int heads, int width, int tokens, bool post) {
  const int channels = heads * width, hidden = round_up(draw(1, 4 * channels), LANES), group = draw(1, heads);
  const int columns = round_up(3 * group * width, LANES), groups = (heads + group - 1) / group;
  const Attention attention{arrays.random((long)groups * channels * columns),
                            arrays.random((long)groups * columns),
                            arrays.random((long)groups * columns),
                            arrays.random((long)heads * tokens * round_up(tokens, LANES)),
                            draw(0, 1) ? arrays.random(heads) : nullptr,
                            heads,
                            group};
  const int before = post ? 0 : 1, after = post ? 2 : 0;
  return {layout(arrays, grid, tokens),
          attention,
          arrays.linear(channels, channels),
          arrays.linear(channels, hidden),
          arrays.linear(hidden, channels),
          arrays.norm(before, channels),
          arrays.norm(after, channels),
          arrays.norm(before, channels),
          arrays.norm(after, channels),
          arrays.norm(post && draw(0, 1) ? 2 : 0, channels)};
}

static double total = 0;  // of all results, by which two machines can be compared

static bool finite(const float* x, long count) {
  double sum = 0;
  for (long i = 0; i < count; i++) sum += std::fabs(x[i]);
  total += sum / count;
  return std::isfinite(sum);
}

// As torch's; each thread lives for this call alone.
static int32_t on_threads(int64_t begin, int64_t end, int64_t, void (*body)(int64_t, int64_t, void*),
                          void* context) {
  std::vector<std::thread> threads;
  for (int64_t i = begin; i < end; i++) threads.emplace_back(body, i, i + 1, context);
  for (auto& thread : threads) thread.join();
  return 0;
}

static bool blocks_hold(const Threads& threads) {
  Arrays arrays;
  const int heads = draw(1, 4), width = draw(1, 40), channels = heads * width, images = draw(1, 3);
  const int grid = draw(1, 200), tokens = draw(1, draw(0, 3) ? 70 : 200), count = draw(1, 2);
  std::vector<Block> blocks;
  for (int i = 0; i < count; i++) blocks.push_back(block(arrays, grid, heads, width, tokens, draw(0, 1)));
  const long size = (long)images * grid * channels;
  float *x = arrays.random(size), *out = arrays.random(size);
  swin_blocks(&threads, blocks.data(), count, x, out, images, grid, channels);
  return finite(out, size);
}

static bool reductions_hold(const Threads& threads) {
  Arrays arrays;
  const int images = draw(1, 3), parts = draw(1, 8), channels = draw(1, 60), columns = draw(1, 200);
  const int from = draw(1, 200), rows = draw(1, 200), depth = parts * channels;
  int32_t* table = arrays.room((long)rows * parts);
  for (int i = 0; i < rows * parts; i++) table[i] = draw(-1, from - 1);
  const Norm before = arrays.norm(draw(0, 1), depth), after = arrays.norm(2 * draw(0, 1), columns);
  const Reduction reduction{table, parts, channels, before, arrays.linear(depth, columns), after};
  float* x = arrays.random((long)images * from * channels);
  float* out = arrays.random((long)images * rows * columns);
  swin_reduce(&threads, &reduction, x, out, images, (int64_t)from * channels, rows, columns);
  return finite(out, (long)images * rows * columns);
}

int main(int, char** arguments) {
  const int trials = std::atoi(arguments[1]);
  for (int trial = 0; trial < trials; trial++) {
    generator.seed(trial);
    const Threads threads{draw(0, 1) ? on_threads : nullptr, draw(1, 5)};
    if (!blocks_hold(threads) || !reductions_hold(threads)) {
      std::printf("trial %d: a result that is not finite\n", trial);
      return 1;
    }
  }
  std::printf("%d random models with %d lanes: no complaint; total %.3f\n", trials, LANES, total);
}
