# For 32-bit ARM. Tencent/ncnn 20261020 compiles src/layer/arm/X_arm.cpp for any ARM, and its twin
# X_arm_vfpv4.cpp with -mfpu=neon-vfpv4 -mfp16-format=ieee. When all is compiled for VFPv4, as here,
# the twin's code is active in X_arm.cpp as well (#if __ARM_FP & 2), but GCC 12 knows vcvt_f16_f32
# only with the second flag: gemm_wq_int8.h then does not compile. So these files get it too.
# Included by CMAKE_PROJECT_ncnn_INCLUDE; deferred, because src/ must be known first.
function(give_half_precision)
  file(GLOB twins ${CMAKE_SOURCE_DIR}/src/layer/arm/*_arm_vfpv4.cpp)
  string(REPLACE "_arm_vfpv4.cpp" "_arm.cpp" files "${twins}")
  if(NOT files)
    message(FATAL_ERROR "no src/layer/arm/*_arm_vfpv4.cpp: this ncnn is laid out otherwise")
  endif()
  set_source_files_properties(${files} DIRECTORY ${CMAKE_SOURCE_DIR}/src
    PROPERTIES COMPILE_OPTIONS -mfp16-format=ieee)
endfunction()
cmake_language(DEFER CALL give_half_precision)
