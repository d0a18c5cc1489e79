FROM BASE
RUN dpkg --add-architecture amd64 \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential ccache cmake ninja-build patch perl pkg-config python3-minimal unzip \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
