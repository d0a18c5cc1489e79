# One program for a board without an operating system: the network's own C lies in /model.
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -std=gnu11 -O2 -ffunction-sections -fdata-sections \
  -I/model -I/deps/cmsis-nn/include -I/recipe/runner \
  -nostartfiles --specs=nosys.specs -Wl,--gc-sections -T /recipe/runner/board.ld \
  -o runner /recipe/runner/main.c /recipe/runner/start.c /model/net.c -L/deps/cmsis-nn/lib -lcmsis-nn
mkdir -p /out/bin
cp runner /out/bin/runner
