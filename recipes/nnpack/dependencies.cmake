# Read by NNPACK's project() call (CMAKE_PROJECT_NNPACK_INCLUDE). NNPACK's CMakeLists.txt adds each
# of its dependencies as a folder of sources unless there is a target of that name: so here they are,
# as recipe nnpack-deps made them.
foreach(name pthreadpool cpuinfo)
  add_library(${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES
    IMPORTED_LOCATION "${NNPACK_DEPS}/lib/lib${name}.a"
    INTERFACE_INCLUDE_DIRECTORIES "${NNPACK_DEPS}/include")
endforeach()
foreach(name fxdiv psimd fp16)
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${NNPACK_DEPS}/include")
endforeach()
