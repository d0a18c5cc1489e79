// Stands where a wheel's extension module wants a Python interpreter, so that the library inside it
// can be called without one. Nothing of Python runs: the module's PyInit is never called, and whoever
// calls one of these functions all the same learns its name and ends there.
// FUNCTIONS and OBJECTS are lists X(name) X(name)…, made by absent.sh from the module's own undefined
// symbols.

#include <stdio.h>
#include <stdlib.h>

#define X(name)                                            \
  void name(void) {                                        \
    fputs("there is no Python here: " #name "\n", stderr); \
    abort();                                               \
  }
FUNCTIONS
#undef X

// As large as any of CPython 3.11's static objects; all zero, as before Py_Initialize().
#define X(name) char name[1024] __attribute__((aligned(16)));
OBJECTS
