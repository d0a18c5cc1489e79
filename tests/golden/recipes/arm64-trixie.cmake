set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR [==[aarch64]==])
set(CMAKE_C_COMPILER [==[aarch64-linux-gnu-gcc]==])
set(CMAKE_CXX_COMPILER [==[aarch64-linux-gnu-g++]==])
set(CMAKE_C_FLAGS_INIT [==[-march=armv8-a -mtune=cortex-a53 -mno-outline-atomics]==])
set(CMAKE_CXX_FLAGS_INIT [==[-march=armv8-a -mtune=cortex-a53 -mno-outline-atomics]==])
set(CMAKE_LIBRARY_ARCHITECTURE [==[aarch64-linux-gnu]==])
# The sysroot is the image itself (Debian multiarch), so only programs must not be the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
