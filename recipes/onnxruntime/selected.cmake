# Read by CMake right after ONNX Runtime's project() (CMAKE_PROJECT_onnxruntime_INCLUDE). When all
# targets of cmake/CMakeLists.txt (v1.21.0) are there, the kernels of operators that are not
# registered are taken out of them. What is missing then is found by the linker (--no-undefined of
# cmake/onnxruntime.cmake), not on the board.

# Messages hold __FILE__, and some of the sources are in the folder that all is built in. Not among
# CMAKE_CXX_FLAGS: the library says with which of those it was made (ORT_BUILD_INFO).
cmake_path(GET CMAKE_BINARY_DIR PARENT_PATH FOLDER)
add_compile_options("-ffile-prefix-map=${FOLDER}=.")

# Below onnxruntime/core/providers/cpu and onnxruntime/contrib_ops/cpu.
set(KERNELS
  cpu_execution_provider cpu_provider_factory cpu_provider_shared cpu_contrib_kernels
  activation/activations math/gemm math/softmax math/softmax_shared nn/conv nn/flatten nn/pool
  fused_activation fused_conv fused_gemm
  # cpu_provider_shared.cc hands these out to other providers, an optimizer calls the last
  object_detection/non_max_suppression tensor/gather tensor/unsqueeze tensor/transpose)

function(select_sources)
  get_target_property(found onnxruntime_providers SOURCES)
  set(kept "")
  foreach(file ${found})
    if(file MATCHES "/onnxruntime/(core/providers|contrib_ops)/cpu/(.+)\\.cc$"
        AND NOT CMAKE_MATCH_2 IN_LIST KERNELS)
      continue()
    endif()
    list(APPEND kept "${file}")
  endforeach()
  set_property(TARGET onnxruntime_providers PROPERTY SOURCES ${kept})
endfunction()

cmake_language(DEFER DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" CALL select_sources)
