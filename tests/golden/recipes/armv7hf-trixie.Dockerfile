FROM BASE
RUN dpkg --add-architecture armhf \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends autoconf automake build-essential ccache cmake crossbuild-essential-armhf libboost-filesystem-dev:armhf libboost-system-dev:armhf libboost-thread-dev:armhf libgflags-dev:armhf libgoogle-glog-dev:armhf libhdf5-dev:armhf libprotobuf-dev:armhf libtool ninja-build patch perl pkg-config protobuf-compiler python3-minimal qemu-user unzip zlib1g-dev:armhf \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
