/* What a library of functions gives to be measured: five functions, in C or C++. The harness owns
   main(), the clock and the output, and holds every result against what was expected: a wrong
   answer has no time. */

#ifndef BUILDMATRIX_BENCH_H_
#define BUILDMATRIX_BENCH_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the inputs, once. */
void bench_prepare(void);

/* One call, and all that is timed. Some microseconds of work at least: a clock's step is none. */
void bench_call(void);

/* How many values the last call computed, and each of them. */
int bench_count(void);
double bench_result(int index);

/* The same value by other means: plain loops, or a table. */
double bench_expected(int index);

/* Only for a library with threads of its own; without it a run of one thread alone is taken. */
void bench_threads(int threads);

#ifdef __cplusplus
}
#endif

#endif /* BUILDMATRIX_BENCH_H_ */
