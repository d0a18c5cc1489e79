set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR [==[cortex-m4]==])
set(CMAKE_C_COMPILER [==[arm-none-eabi-gcc]==])
set(CMAKE_C_FLAGS_INIT [==[-mcpu=cortex-m4 -mthumb -mfloat-abi=soft]==])
# There is nothing that a program could be linked for.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
