/* What libmxnet.so of the 1.9.1 wheel takes of LAPACK from libarmpl_lp64_mp.so, for linear algebra
 * operators (mx.nd.linalg, mx.np.linalg) that no network here uses. Our OpenBLAS is built without
 * LAPACK, so each of these says so and stops; no answer is better than a wrong one. */

#include <stdio.h>
#include <stdlib.h>

#define ABSENT(name)                                                                            \
  void name(void) {                                                                             \
    fputs(#name ": this BLAS was built without LAPACK, and libarmpl_lp64_mp.so here is only a " \
                "bridge to OpenBLAS\n", stderr);                                                \
    abort();                                                                                    \
  }
#define BOTH(name) ABSENT(LAPACKE_s##name) ABSENT(LAPACKE_d##name)
#define FORTRAN(name) ABSENT(s##name##_) ABSENT(d##name##_)

BOTH(geev) BOTH(gelqf) BOTH(gesdd) BOTH(gesv) BOTH(gesvd) BOTH(getrf) BOTH(getri) BOTH(orglq)
BOTH(potrf) BOTH(potri) BOTH(syevd)
FORTRAN(gels) FORTRAN(geqrf) FORTRAN(gesdd) FORTRAN(gesv) FORTRAN(getrf) FORTRAN(posv)
FORTRAN(potrf)
