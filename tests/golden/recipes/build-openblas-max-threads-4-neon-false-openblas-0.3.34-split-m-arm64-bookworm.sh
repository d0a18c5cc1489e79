# Variables as in OpenBLAS's docs/user_manual.md and Makefile.rule. TARGET and NUM_THREADS are
# always given: left out, getarch asks the build machine for both. noexecstack: the ARM assembler
# files of 0.3.21 and before carry no .note.GNU-stack, which makes the whole process's stack
# executable (audit BM160), though nothing in them needs it.
# TARGET is a name of TargetList.txt. v0.2.19 knows no Cortex-A53, its plain ARMV8 is meant.
# ccache: another version, target or number of threads changes all 1,968 commands, so what it keeps
# is next to never asked for again, and keeping it takes nearly as long as compiling it (100 ms in
# place of 57 for a file of this size).
export CCACHE_DISABLE=1
cp -a /src/openblas/. .
# Rows and columns are OpenBLAS's own, column by column: a row-major caller's are exchanged, so that
# m of a convolution in Caffe is its pixels. symm and hemm have the same driver, and the same split.
patch -p1 <<'SPLIT'
--- a/driver/level3/level3_thread.c
+++ b/driver/level3/level3_thread.c
@@ -786,8 +786,8 @@
     }
   }
 
-  /* Partitions in n should have at most switch_ratio * nthreads_m columns */
-  if (n < switch_ratio * nthreads_m) {
+  /* Every thread computes all columns of its rows, however few rows there are beside them */
+  if (1) {
     nthreads_n = 1;
   } else {
     nthreads_n = (n + switch_ratio * nthreads_m - 1) / (switch_ratio * nthreads_m);
SPLIT
set -- \
  TARGET=CORTEXA53 BINARY=64 \
  NUM_THREADS=4 \
  HOSTCC=gcc \
  CC=aarch64-linux-gnu-gcc \
  AR=aarch64-linux-gnu-ar \
  RANLIB=aarch64-linux-gnu-ranlib \
  NOFORTRAN=1 NO_LAPACK=1 \
  LDFLAGS=-Wl,-z,noexecstack \
  MAKE_NB_JOBS=-1
make -j"$JOBS" "$@" libs shared
# Every variable again: OpenBLAS forgets them between make and make install.
make "$@" PREFIX=/out NO_STATIC=1 install
rm -rf /out/lib/cmake /out/lib/pkgconfig
