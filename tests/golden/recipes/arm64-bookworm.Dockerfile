FROM BASE
RUN dpkg --add-architecture arm64 \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential ccache cmake crossbuild-essential-arm64 libc6:arm64 libstdc++6:arm64 ninja-build patch perl pkg-config python3-minimal qemu-user unzip \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
