/* Answers the image in input.q7, then the pictures in held-out.q7 where there are any: answers go to
 * answers.q7 one after the other, and the timer's ticks of each pass to ticks.u32. Two passes of
 * nothing come first there: of a loop of 1,000,000 instructions less one, and of none. */
#include "board.h"
#include "net.h"

enum { NO_FILE = 71, REFUSED = 80 };
enum { TURNS = 499999 }; /* of two instructions each, and one before them */

static int answers, passes;

static void noted(uint32_t before, uint32_t after) {
  const uint32_t taken = after - before;
  write_bytes(passes, &taken, sizeof taken);
}

static void calibrate(void) {
  uint32_t before = ticks();
  int turns;
  __asm__ volatile(
      "ldr %0, =%c1\n"
      "1: subs %0, #1\n"
      "bne 1b\n"
      : "=r"(turns)
      : "i"(TURNS)
      : "cc");
  noted(before, ticks());
  before = ticks();
  noted(before, ticks());
}

static void pass(void) {
  const uint32_t before = ticks();
  const int refused = net_run();
  const uint32_t after = ticks();
  if (refused) quit(REFUSED + refused);
  noted(before, after);
  write_bytes(answers, net_output, NET_OUTPUT_BYTES);
}

int main(void) {
  const int image = open_file("input.q7", READ), pictures = open_file("held-out.q7", READ);
  answers = open_file("answers.q7", WRITE);
  passes = open_file("ticks.u32", WRITE);
  if (image < 0 || answers < 0 || passes < 0) return NO_FILE;
  start_timer();
  calibrate();
  if (!read_bytes(image, net_input, NET_INPUT_BYTES)) return NO_FILE;
  pass();
  while (pictures >= 0 && read_bytes(pictures, net_input, NET_INPUT_BYTES)) pass();
  return 0;
}
