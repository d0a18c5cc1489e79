FROM BASE
RUN dpkg --add-architecture armhf \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends binutils-arm-linux-gnueabihf build-essential ccache cmake libc6:armhf ninja-build patch perl pkg-config python3-minimal qemu-user \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
COPY zig /opt/zig
# Recipes call a compiler by GCC's names. Zig compiles libc and libc++ as they are needed; what it
# made of them is kept where ccache keeps its own, since a build's container begins empty.
RUN for name in gcc:cc g++:c++; do \
      program=/usr/local/bin/arm-linux-gnueabihf-${name%:*}; \
      printf '#!/bin/sh\nexport ZIG_GLOBAL_CACHE_DIR="${CCACHE_DIR:-/tmp}/zig"\nexec /opt/zig/ziglang/zig %s -target %s "$@"\n' \
        "${name#*:}" arm-linux-gnueabihf.2.24 >"$program"; \
      chmod 755 "$program" /opt/zig/ziglang/zig; \
    done
