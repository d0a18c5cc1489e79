FROM BASE
RUN dpkg --add-architecture arm64 \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential ccache cmake crossbuild-essential-arm64 libboost-filesystem-dev:arm64 libboost-system-dev:arm64 libboost-thread-dev:arm64 libc6:arm64 libgflags-dev:arm64 libgoogle-glog-dev:arm64 libhdf5-dev:arm64 libprotobuf-dev:arm64 libstdc++6:arm64 ninja-build patch perl pkg-config protobuf-compiler python3-minimal qemu-user unzip \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
