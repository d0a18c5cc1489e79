/* The library: one function. */
#ifndef DOT_H_
#define DOT_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The sum of a[i] * b[i]. */
float dot(const float* a, const float* b, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* DOT_H_ */
