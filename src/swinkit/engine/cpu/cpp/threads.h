// Work for all threads, and memory for each.
//
// The threads are torch's own (`torch.set_num_threads` rules), by a C function of its library that Python
// hands over; nothing here is compiled against torch.

#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace swin {

// Memory is handed out in pieces of one whole. Under the address sanitizer gaps lie between
// them, which nobody may touch; else these functions do nothing.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t GAP = 16;
inline void allow(float* from, size_t count) { __asan_unpoison_memory_region(from, sizeof(float) * count); }
inline void forbid(float* from, size_t count) { __asan_poison_memory_region(from, sizeof(float) * count); }
#else
constexpr size_t GAP = 0;
inline void allow(float*, size_t) {}
inline void forbid(float*, size_t) {}
#endif

struct Threads {
  // torch_parallel_for(begin, end, grain, body, context), or null: this thread alone.
  int32_t (*parallel_for)(int64_t, int64_t, int64_t, void (*)(int64_t, int64_t, void*), void*);
  int32_t count;
};

// Calls work(0) ... work(tasks - 1); each thread takes the next one when it is done with its last.
template <class Work>
void for_each(const Threads& threads, int tasks, const Work& work) {
  if (!threads.parallel_for || threads.count == 1 || tasks == 1) {
    for (int task = 0; task < tasks; task++) work(task);
    return;
  }
  struct Queue {
    const Work& work;
    const int tasks;
    std::atomic<int> next{0};
  } queue{work, tasks};
  const auto serve = [](int64_t, int64_t, void* context) {
    Queue& queue = *static_cast<Queue*>(context);
    for (int task; (task = queue.next++) < queue.tasks;) queue.work(task);
  };
  threads.parallel_for(0, threads.count < tasks ? threads.count : tasks, 1, serve, &queue);
}

// Into how many parts to cut each of `tasks` (at most `most`) so that threads idle for at most a twentieth.
inline int parts(int tasks, int threads, int most) {
  for (int n = 1; n < most; n++) {
    const int rounds = (tasks * n + threads - 1) / threads;
    if (rounds * threads * 20 <= tasks * n * 21) return n;
  }
  return most;
}

// Memory that a thread keeps from call to call, so that the system need not map it anew.
class Memory {
 public:
  ~Memory() { release(); }

  // Room for `count` numbers, aligned to a page; what was there before is lost.
  float* at_least(size_t count) {
    if (count > count_) {
      release();
      count_ = (count + 1023) / 1024 * 1024;
      data_ = static_cast<float*>(std::aligned_alloc(4096, count_ * sizeof(float)));
      if (!data_) {  // at most as much as a grid, of which the caller has two
        std::fprintf(stderr, "swinkit's engine: no memory for %zu bytes\n", count_ * sizeof(float));
        std::abort();
      }
    }
    allow(data_, count);
    forbid(data_ + count, count_ - count);
    return data_;
  }

 private:
  void release() {
    allow(data_, count_);
    std::free(data_);
  }

  float* data_ = nullptr;
  size_t count_ = 0;
};

// What a thread works in during one task.
inline Memory& own_memory() {
  static thread_local Memory memory;
  return memory;
}

// Hands out pieces of one memory, each beginning at a cache line.
class Pieces {
 public:
  explicit Pieces(float* data) : next_(data) {}

  float* take(size_t count) {
    float* piece = next_;
    next_ += size(count);
    allow(piece, count);
    forbid(piece + count, size(count) - count);
    return piece;
  }

  // What was not taken.
  float* rest() const { return next_; }

  static size_t size(size_t count) { return (count + 15) / 16 * 16 + GAP; }

 private:
  float* next_;
};

}  // namespace swin
