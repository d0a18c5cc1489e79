// Threads, exceptions across them and 64-bit atomics: what a mixed-up libc breaks first.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

int main() {
  std::atomic<std::uint64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] { for (int i = 0; i < 1000; ++i) sum += 1ULL << 33; });
  for (auto &thread : threads) thread.join();
  bool caught = false;
  auto thrower = std::async(std::launch::async, []() -> int { throw std::runtime_error("x"); });
  try { thrower.get(); } catch (const std::runtime_error &) { caught = true; }
  std::printf("C++, threads, atomics, exceptions: %s\n", caught ? "ok" : "lost");
  return caught && sum == 4000ULL << 33 ? 0 : 1;
}
