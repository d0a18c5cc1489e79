# Names of flame/blis 1.1, file config_registry. One named configuration and no family ('arm32',
# 'arm64'): a family asks the processor at run time, and frame/base/bli_cpuid.c knows of the 32-bit
# ones only parts 0xc09 and 0xc0f, so that a Cortex-A53 (0xd03) would get the plain C kernels.
# cortexa9 and cortexa15 have the same kernel, bli_sgemm_armv7a_int_4x4, and differ in block sizes;
# cortexa9's (config/cortexa9/bli_cntx_init_cortexa9.c) are the nearer to 512 KiB of cache.
# The configuration brings its own -mcpu and -mfpu (config/cortexa9/make_defs.mk), but not -marm.
cp -a /src/blis/. .
export CC=arm-linux-gnueabihf-gcc AR=arm-linux-gnueabihf-ar RANLIB=arm-linux-gnueabihf-ranlib
export PYTHON=python3 LDFLAGS=-Wl,-z,noexecstack
CFLAGS=-marm ./configure --prefix=/out \
  --enable-cblas --enable-threading=pthreads --enable-shared --disable-static cortexa9
make -j"$JOBS" V=1
make install
rm -rf /out/share
