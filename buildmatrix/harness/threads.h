// How many threads there are, for a library that does not tell how many of them are its own: what
// came while it made its pool, or what OpenMP gives. C++11.

#ifndef BUILDMATRIX_HARNESS_THREADS_H_
#define BUILDMATRIX_HARNESS_THREADS_H_

#include <dirent.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <stdexcept>
#include <string>

inline int threads_now() {
  DIR* const folder = opendir("/proc/self/task");
  if (!folder) throw std::runtime_error("/proc/self/task cannot be read");
  int count = -2;  // . and ..
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

#ifdef _OPENMP
// A library asks for its threads at every parallel loop; the runtime may give fewer
// (OMP_THREAD_LIMIT, OMP_DYNAMIC), and neither ncnn nor ggml looks.
inline void expect_openmp_threads(int wanted) {
  int used = 0;
#pragma omp parallel num_threads(wanted)
#pragma omp single
  used = omp_get_num_threads();
  if (used == wanted) return;
  throw std::runtime_error("OpenMP gives " + std::to_string(used) + " thread(s), not " +
                           std::to_string(wanted) + ": unset OMP_THREAD_LIMIT and OMP_DYNAMIC");
}
#endif

#endif  // BUILDMATRIX_HARNESS_THREADS_H_
