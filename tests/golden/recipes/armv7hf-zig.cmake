set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR [==[armv7l]==])
set(CMAKE_C_COMPILER [==[arm-linux-gnueabihf-gcc]==])
set(CMAKE_CXX_COMPILER [==[arm-linux-gnueabihf-g++]==])
set(CMAKE_C_FLAGS_INIT [==[-mcpu=cortex_a7 -marm]==])
set(CMAKE_CXX_FLAGS_INIT [==[-mcpu=cortex_a7 -marm]==])
set(CMAKE_LIBRARY_ARCHITECTURE [==[arm-linux-gnueabihf]==])
# The sysroot is the image itself (Debian multiarch), so only programs must not be the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
