mkdir -p /out/lib /out/include
for file in /recipe/plain/*.c; do
  arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -std=c11 -O2 -Wall -Wextra -Werror \
    -ffunction-sections -fdata-sections -c "$file"
done
arm-none-eabi-ar rcs /out/lib/libcmsis-nn.a ./*.o
cp /recipe/plain/arm_nnfunctions.h /out/include/
