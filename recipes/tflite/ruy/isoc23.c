// Debian's libruy was compiled with the headers of glibc 2.38, which give strtol this name; the
// board's older glibc has no function of it. The two differ in binary literals ("0b1") only.
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
