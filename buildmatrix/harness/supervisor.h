// A second process, the parent of the one that measures. The kernel's out-of-memory killer leaves
// its victim no word to say; the parent is told what it had used by then, and says it.
//
// Included once, by harness.cpp. The two part before any library is initialised, because OpenBLAS
// makes threads before main() and a process with threads cannot fork and go on. No constructor of
// the program has run by then, so all data here is plain. Where the C library knows no
// DT_PREINIT_ARRAY, or the system refuses to fork, one process measures and nobody watches it.

#ifndef BUILDMATRIX_HARNESS_SUPERVISOR_H_
#define BUILDMATRIX_HARNESS_SUPERVISOR_H_

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace supervisor {
namespace {

bool killed = false;  // this is the parent, and SIGKILL ended the process that measured
rusage lost;          // by that process
rusage loading;       // by the program before it parted: finding and binding its libraries
int alone;
int* batch = &alone;  // at work on; in memory that both see

// By the process that measures, so far or in all. Its ru_maxrss is its own because it came by fork;
// after an exec it would begin at the caller's peak.
rusage used() {
  rusage usage = lost;
  if (!killed) getrusage(RUSAGE_SELF, &usage);
  return usage;
}

// Returns only if the child was killed: main() then tells it. Ends as the child did otherwise, with
// a signal as a shell puts it.
void watch(pid_t child) {
  int status;
  if (wait4(child, &status, 0, &lost) != child) _exit(4);
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  if (WTERMSIG(status) != SIGKILL) _exit(128 + WTERMSIG(status));
  killed = true;
}

void part() {
  void* page =
      mmap(nullptr, sizeof *batch, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  signal(SIGCHLD, SIG_DFL);  // where it is ignored, nobody can wait for a child
  rusage before;
  getrusage(RUSAGE_SELF, &before);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return;
  batch = static_cast<int*>(page);
  loading = before;
  if (child > 0) return watch(child);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(128 + SIGKILL);  // it was gone before it could be followed
}

__attribute__((section(".preinit_array"), used)) void (*first_of_all)() = part;

}  // namespace
}  // namespace supervisor

#endif  // BUILDMATRIX_HARNESS_SUPERVISOR_H_
