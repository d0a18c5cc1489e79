/* What is measured, and what is right: see bench.h, which buildmatrix brings. */
#include "bench.h"
#include "dot.h"

#define SIZE 4096

static float a[SIZE], b[SIZE];
static volatile float result; /* or a compiler may leave the call out */

void bench_prepare(void) {
  int i;
  for (i = 0; i < SIZE; ++i) {
    a[i] = (float)(i % 17) / 17;
    b[i] = (float)(i % 23) / 23;
  }
}

void bench_call(void) { result = dot(a, b, SIZE); }

int bench_count(void) { return 1; }

double bench_result(int index) {
  (void)index;
  return result;
}

double bench_expected(int index) {
  double sum = 0;
  int i;
  (void)index;
  for (i = 0; i < SIZE; ++i) sum += (double)a[i] * b[i];
  return sum;
}
