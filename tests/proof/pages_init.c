/* The first process of the 16 KiB kernel: runs each program of /SUITE/proof under that suite's
   loader, prints 'END SUITE PROGRAM STATUS' (minus the signal), and switches the machine off. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void try_program(const char *suite, const char *name) {
  pid_t child = fork();
  if (!child) {
    char path[512];
    if (chroot(suite) || chdir("/")) _exit(125);
    mount("proc", "/proc", "proc", 0, 0); /* $ORIGIN is asked of /proc/self/exe */
    snprintf(path, sizeof path, "/proof/%s/program", name);
    execl(path, path, (char *)0);
    perror("exec");
    _exit(126);
  }
  int status;
  waitpid(child, &status, 0);
  int code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  printf("END %s %s %d\n", suite, name, code);
}

int main(void) {
  static const char *const suites[] = {"bullseye", "bookworm", "trixie"};
  setvbuf(stdout, 0, _IONBF, 0);
  printf("PAGES %ld\n", sysconf(_SC_PAGESIZE));
  for (int i = 0; i < 3; i++) {
    char folder[64];
    snprintf(folder, sizeof folder, "/%s/proof", suites[i]);
    DIR *programs = opendir(folder);
    for (struct dirent *one; programs && (one = readdir(programs));)
      if (one->d_name[0] != '.') try_program(suites[i], one->d_name);
  }
  reboot(RB_POWER_OFF);
}
