/* Sums of products of two halves of a word (SMLAD of ARMv7E-M), and a function of the C library.
 *
 * QEMU's user emulation of Debian 12 ends in an assertion on a Cortex-M: so this is a program of
 * Linux for its usual processor, which has all instructions of a Cortex-M4. */
#include <stdint.h>
#include <string.h>

#ifndef __ARM_FEATURE_DSP
#error "the flags give no DSP instructions"
#endif

enum { EXIT = 1, WRITE = 4 };

static void linux_call(int number, int first, const void *second, int third) {
  register int r7 __asm__("r7") = number;
  register int r0 __asm__("r0") = first;
  register const void *r1 __asm__("r1") = second;
  register int r2 __asm__("r2") = third;
  __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
}

static int32_t __attribute__((noinline)) pair(uint32_t a, uint32_t b, int32_t sum) {
  int32_t made;
  __asm__("smlad %0, %1, %2, %3" : "=r"(made) : "r"(a), "r"(b), "r"(sum));
  return made;
}

void _start(void) {
  const char *const right = "C, two products: 129\n", *const wrong = "C, two products: wrong\n";
  const int good = pair(0x00030002, 0x00050007, 100) == 129;
  const char *const told = good ? right : wrong;
  linux_call(WRITE, 1, told, (int)strlen(told));
  linux_call(EXIT, !good, 0, 0);
}
