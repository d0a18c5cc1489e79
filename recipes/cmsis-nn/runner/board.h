/* A board without an operating system in an emulator: files of the machine that emulates, by way of
 * the debugger's calls (Arm: Semihosting for AArch32 and AArch64), and a timer. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

enum { READ = 1, WRITE = 5 }; /* of a file, as bytes: "rb", "wb" */

int open_file(const char *name, int mode);                /* a handle, or -1 */
int read_bytes(int file, void *to, unsigned count);       /* 1 when all were there */
void write_bytes(int file, const void *from, unsigned count);
void quit(int code) __attribute__((noreturn));

/* CMSDK's APB timer 0, which both boards have at this place: it counts down from 2^32 - 1. */
void start_timer(void);
uint32_t ticks(void); /* since it was started */

#endif
