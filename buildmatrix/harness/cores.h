// Binds a process to processors, for `--cores 0-3,5`, before any library is initialised: OpenBLAS
// makes threads before main(), and a thread may run where its maker may. C++11.
//
// Included once, by harness.cpp. No constructor of the program has run when it binds, so that part is
// plain C. Where the C library knows no DT_PREINIT_ARRAY, bind_all() comes after those threads.

#ifndef BUILDMATRIX_HARNESS_CORES_H_
#define BUILDMATRIX_HARNESS_CORES_H_

#include <dirent.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace cores {
namespace {

// False for what is no list of processors.
bool read(const char* text, cpu_set_t* set) {
  CPU_ZERO(set);
  for (;; ++text) {
    int ends[2] = {-1, -1};
    for (int& end : ends) {
      if (*text < '0' || *text > '9') return false;
      for (end = 0; *text >= '0' && *text <= '9'; ++text) {
        end = end * 10 + (*text - '0');
        if (end >= CPU_SETSIZE) return false;
      }
      if (*text != '-') break;
      if (&end == ends) ++text;
    }
    const int last = ends[1] < 0 ? ends[0] : ends[1];
    if (last < ends[0]) return false;
    for (int cpu = ends[0]; cpu <= last; ++cpu) CPU_SET(cpu, set);
    if (*text != ',') return *text == '\0';
  }
}

void first(int argc, char** argv, char**) {
  cpu_set_t set;
  for (int i = 1; i + 1 < argc; ++i) {
    if (!std::strcmp(argv[i], "--cores") && read(argv[i + 1], &set)) {
      sched_setaffinity(0, sizeof set, &set);
    }
  }
}

__attribute__((section(".preinit_array"), used)) void (*bind_first)(int, char**, char**) = first;

// Where this thread may run, as a list: "0-3,5".
std::string bound() {
  cpu_set_t set;
  std::string list;
  if (sched_getaffinity(0, sizeof set, &set)) return list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    int last = cpu;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set)) ++last;
    list += (list.empty() ? "" : ",") + std::to_string(cpu);
    if (last > cpu) list += '-' + std::to_string(last);
    cpu = last;
  }
  return list;
}

// Every thread that is there.
void bind_all(const cpu_set_t& set) {
  DIR* const tasks = opendir("/proc/self/task");
  if (!tasks) return;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] != '.') sched_setaffinity(std::atoi(entry->d_name), sizeof set, &set);
  }
  closedir(tasks);
}

}  // namespace
}  // namespace cores

#endif  // BUILDMATRIX_HARNESS_CORES_H_
