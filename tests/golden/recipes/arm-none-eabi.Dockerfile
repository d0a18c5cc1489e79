FROM BASE
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ccache cmake gcc-arm-none-eabi libnewlib-arm-none-eabi make ninja-build patch python3-minimal qemu-user \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
