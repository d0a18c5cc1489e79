// What is read beside a pass: the time, and the instructions that all threads executed. C++11.

#ifndef BUILDMATRIX_HARNESS_CLOCK_H_
#define BUILDMATRIX_HARNESS_CLOCK_H_

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

inline int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec t;
  clock_gettime(clock, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// Instructions executed in user mode by all threads, from construction on. One event per thread:
// `inherit` follows only threads made later, and OpenBLAS makes its own before main().
class InstructionCounter {
 public:
  InstructionCounter() {
    DIR* tasks = opendir("/proc/self/task");
    if (!tasks) return;
    while (const dirent* entry = readdir(tasks)) {
      if (entry->d_name[0] != '.') open(std::atoi(entry->d_name));
    }
    closedir(tasks);
  }

  ~InstructionCounter() {
    for (int event : events_) close(event);
  }

  // -1 when the kernel does not count, or counted only part of the time.
  int64_t total() const {
    int64_t sum = 0;
    for (int event : events_) {
      struct { uint64_t value, enabled, running; } count;
      if (read(event, &count, sizeof count) != sizeof count) return -1;
      if (count.running < count.enabled) return -1;
      sum += int64_t(count.value);
    }
    return refused_ || events_.empty() ? -1 : sum;
  }

 private:
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  void open(int thread) {
    perf_event_attr attr;
    std::memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = PERF_COUNT_HW_INSTRUCTIONS;
    attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attr.inherit = 1;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    long event = syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event >= 0) {
      events_.push_back(int(event));
    } else if (errno != ESRCH) {  // a thread that has just ended counts nothing
      refused_ = true;
    }
  }

  std::vector<int> events_;
  bool refused_ = false;
};

#endif  // BUILDMATRIX_HARNESS_CLOCK_H_
