/* From reset to main: vectors, memory, the debugger's calls and a timer. */
#include "board.h"

#include <string.h>

int main(void);

extern uint32_t stack_top, data_begins, data_ends, data_lies, bss_begins, bss_ends;

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { APPLICATION_EXIT = 0x20026, FAULT = 70 };

static int asked(int operation, const void *block) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void reset(void) {
  memcpy(&data_begins, &data_lies, (size_t)((char *)&data_ends - (char *)&data_begins));
  memset(&bss_begins, 0, (size_t)((char *)&bss_ends - (char *)&bss_begins));
  quit(main());
}

static void fault(void) { quit(FAULT); }

typedef void (*Vector)(void);
__attribute__((section(".vectors"), used)) static const Vector vectors[16] = {
    (Vector)(uintptr_t)&stack_top, reset, fault, fault, fault, fault, fault,
};

int open_file(const char *name, int mode) {
  const struct {
    const char *name;
    int mode;
    unsigned length;
  } block = {name, mode, strlen(name)};
  return asked(SYS_OPEN, &block);
}

int read_bytes(int file, void *to, unsigned count) {
  const struct {
    int file;
    void *to;
    unsigned count;
  } block = {file, to, count};
  return asked(SYS_READ, &block) == 0; /* how many are missing */
}

void write_bytes(int file, const void *from, unsigned count) {
  const struct {
    int file;
    const void *from;
    unsigned count;
  } block = {file, from, count};
  if (asked(SYS_WRITE, &block) != 0) quit(FAULT);
}

void quit(int code) {
  const int block[2] = {APPLICATION_EXIT, code};
  asked(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

#define TIMER ((volatile uint32_t *)0x40000000)
enum { CONTROL = 0, VALUE = 1, RELOAD = 2, ENABLED = 1 };

void start_timer(void) {
  TIMER[RELOAD] = 0xffffffff;
  TIMER[VALUE] = 0xffffffff;
  TIMER[CONTROL] = ENABLED;
}

uint32_t ticks(void) { return 0xffffffff - TIMER[VALUE]; }
