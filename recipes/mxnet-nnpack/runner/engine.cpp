// MXNet's engine as it is (mxnet_engine.cpp is a link to recipe mxnet's), and NNPACK's threads: MXNet
// 1.0 makes them while it is loaded, as many as MXNET_CPU_NNPACK_NTHREADS says, or four
// (src/operator/nnpack/nnpack_util.h). Link this file before harness.cpp.

#include "harness.h"

#define make_engine make_mxnet_engine
#include "mxnet_engine.cpp"
#undef make_engine

namespace {

const char nnpack_threads[] = "MXNET_CPU_NNPACK_NTHREADS";

// As set_environment(), for one variable more; that one lets it through.
void set_nnpack_threads(int argc, char** argv, char** environment) {
  const std::string name = std::string(nnpack_threads) + "=";
  std::string wanted = name + threads_asked(argc, argv);
  std::vector<char*> next;
  for (char** entry = environment; *entry; ++entry) {
    if (wanted == *entry) return;
    if (!starts_with_one_of(*entry, {name.c_str()})) next.push_back(*entry);
  }
  next.push_back(&wanted[0]);
  next.push_back(nullptr);
  execve(reinterpret_cast<const char*>(getauxval(AT_EXECFN)), argv, next.data());
}  // if that failed, make_engine() refuses

__attribute__((section(".preinit_array"), used)) void (*before_nnpack)(int, char**, char**) =
    set_nnpack_threads;

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  const char* environment = getenv(nnpack_threads);
  expect_threads("the environment that NNPACK's threads come from",
                 environment ? atoi(environment) : 0, threads);
  return make_mxnet_engine(model_dir, threads);
}
