// MXNet's engine for the harness, on the C predict API, which is in every 1.x from 0.9 to 1.9.1.
// Written against the headers that the 1.9.1 wheels carry (include/mxnet/c_predict_api.h, c_api.h).
//
// What decides how many threads compute, in MXNet 1.9.1 (apache/mxnet):
//   src/initialize.cc      MXNET_CPU_WORKER_NTHREADS: operators at a time; a chain has one
//   src/engine/openmp.cc   OMP_NUM_THREADS: threads of one operator, and of oneDNN
//   OpenBLAS               threads of cblas_sgemm: convolution's and dot's
// The first two are read while the libraries are initialised, so they are set before that. Link
// this file before harness.cpp.

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <iterator>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <mxnet/c_api.h>
#include <mxnet/c_predict_api.h>

#include "harness.h"

const char engine_name[] = "mxnet";
const char number_format[] = "float32";

namespace {

const char input_name[] = "data";
const int cpu = 1;  // dev_type of MXPredCreate

// The number after --threads as it stands there; the harness's own default without one. What this
// gets wrong, use_threads() finds out.
std::string threads_asked(int argc, char** argv) {
  const std::string name = "--threads";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == name && i + 1 < argc) return argv[i + 1];
    if (!argument.compare(0, name.size() + 1, name + "=")) return argument.substr(name.size() + 1);
  }
  return "1";
}

bool starts_with_one_of(const char* text, const std::vector<const char*>& beginnings) {
  for (const char* beginning : beginnings) {
    if (!strncmp(text, beginning, strlen(beginning))) return true;
  }
  return false;
}

// Before any library is initialised (as supervisor.h), and before that one parts the process:
// starts the program again if the environment is not the one to measure in. To set a variable here
// is not enough, because libc takes its environment only when it is initialised itself. What the
// board's user may have set goes: two runs must be alike.
void set_environment(int argc, char** argv, char** environment) {
  const std::vector<std::string> wanted = {
      "OMP_NUM_THREADS=" + threads_asked(argc, argv),
      "MXNET_CPU_WORKER_NTHREADS=1",
#if !BUILDMATRIX_ONEDNN
      "OMP_WAIT_POLICY=passive",  // or OpenMP's threads spin while OpenBLAS's own compute
#endif
#ifdef BUILDMATRIX_ONEDNN
      std::string("MXNET_MKLDNN_ENABLED=") + (BUILDMATRIX_ONEDNN ? "1" : "0"),
      "MXNET_STORAGE_FALLBACK_LOG_VERBOSE=0",  // or it says of every layer that oneDNN is off
#endif
  };
  const std::vector<const char*> ruled = {
      "OMP_", "OPENBLAS_NUM_THREADS=", "MXNET_CPU_WORKER_NTHREADS=", "MXNET_OMP_MAX_THREADS=",
      "MXNET_ENGINE_TYPE=", "MXNET_MKLDNN_ENABLED=", "MXNET_SUBGRAPH_BACKEND=",
      "MXNET_STORAGE_FALLBACK_LOG_VERBOSE="};
  std::vector<char*> next;
  size_t settled = 0;
  for (char** entry = environment; *entry; ++entry) {
    if (!starts_with_one_of(*entry, ruled)) next.push_back(*entry);
    for (const std::string& setting : wanted) settled += setting == *entry;
  }
  const size_t entries = next.size() + wanted.size();
  size_t there = 0;
  while (environment[there]) ++there;
  if (settled == wanted.size() && there == entries) return;
  for (const std::string& setting : wanted) next.push_back(const_cast<char*>(setting.c_str()));
  next.push_back(nullptr);
  const auto program = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  execve(program, argv, next.data());
}  // if that failed, use_threads() refuses

__attribute__((section(".preinit_array"), used)) void (*before_libraries)(int, char**, char**) =
    set_environment;

// MXNet's functions return 0 or -1, and keep the text of what was thrown. An allocation that failed
// is a FATAL line of src/storage/cpu_device_storage.h, or a std::bad_alloc caught at the interface.
bool is_memory(const std::string& message) {
  return message.find("Failed to allocate CPU Memory") != std::string::npos ||
         message.find("std::bad_alloc") != std::string::npos;
}

void check(int status) {
  if (!status) return;
  const std::string message = MXGetLastError();
  if (is_memory(message)) throw std::bad_alloc();
  throw std::runtime_error(message);
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.empty() || bytes.size() > INT_MAX) throw std::runtime_error(path + ": cannot be read");
  return bytes;
}

// Looked up at run time, because the BLAS is chosen by the bundle and not when this is linked.
template <typename Function>
Function find(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, symbol));
}

void use_threads(int threads) {
  const char* const environment = getenv("OMP_NUM_THREADS");
  expect_threads("the environment that MXNet read", environment ? atoi(environment) : 0, threads);
  const auto openmp = find<int (*)()>("omp_get_max_threads");
  expect_threads("OpenMP", openmp ? openmp() : 1, threads);
  const auto set = find<void (*)(int)>("openblas_set_num_threads");
  const auto get = find<int (*)()>("openblas_get_num_threads");
  if (set) set(threads);
  expect_threads("this BLAS", get ? get() : 1, threads);
#if BUILDMATRIX_ONEDNN
  // The aarch64 wheel's oneDNN convolves by cblas_sgemm (DNNL_VERBOSE=1 says gemm:blas), and where
  // the batch is larger than one from each of its threads; a BLAS's own threads would add to those.
  const auto parallel = find<int (*)()>("openblas_get_parallel");
  const int own_threads = 1;  // OPENBLAS_THREAD of cblas.h; 0 has none, 2 is OpenMP
  if (threads > 1 && parallel && parallel() == own_threads) {
    throw std::runtime_error("with oneDNN on this BLAS more threads than asked for would compute: "
                             "use 1, or an OpenBLAS built with USE_OPENMP");
  }
#endif
}

// The shape of one image, C, H, W: a graph does not need it, so the exporter writes it as the
// attribute __shape__ of the input, "(1, C, H, W)", as mx.sym.Variable(shape=…) does.
std::vector<uint32_t> image_shape(const std::string& symbol) {
  SymbolHandle handle;
  check(MXSymbolCreateFromJSON(symbol.c_str(), &handle));
  uint32_t pairs = 0;
  const char** attributes = nullptr;
  check(MXSymbolListAttr(handle, &pairs, &attributes));
  std::string text;
  for (uint32_t i = 0; i < pairs; ++i) {
    if (attributes[2 * i] == std::string(input_name) + "$__shape__") text = attributes[2 * i + 1];
  }
  check(MXSymbolFree(handle));
  for (char& c : text) {
    if (c < '0' || c > '9') c = ' ';
  }
  std::istringstream numbers(text);
  const std::vector<uint32_t> shape((std::istream_iterator<uint32_t>(numbers)),
                                    std::istream_iterator<uint32_t>());
  if (shape.size() != 4) {
    throw std::runtime_error("net-symbol.json: the input 'data' has no __shape__ (1, C, H, W)");
  }
  return {shape.begin() + 1, shape.end()};
}

class MxnetEngine : public Engine {
 public:
  explicit MxnetEngine(const std::string& model_dir)
      : model_dir_(model_dir), image_(image_shape(read(model_dir + "/net-symbol.json"))) {}

  ~MxnetEngine() override { release(); }

  // A predictor is made for one batch size. The one before goes first, so that memory never holds
  // two; freeing is a task of MXNet's engine, so it is waited for.
  void prepare(int batch) override {
    release();
    const std::string symbol = read(model_dir_ + "/net-symbol.json");
    const std::string weights = read(model_dir_ + "/net-0000.params");
    const char* keys[] = {input_name};
    const uint32_t bounds[] = {0, 4};
    const uint32_t shape[] = {uint32_t(batch), image_[0], image_[1], image_[2]};
    check(MXPredCreate(symbol.c_str(), weights.data(), int(weights.size()), cpu, 0, 1, keys, bounds,
                       shape, &predictor_));
    outputs_ = output_size();
  }

  void set_input(const float* data, std::size_t size) override {
    check(MXPredSetInput(predictor_, input_name, data, uint32_t(size)));
    check(MXNDArrayWaitAll());
  }

  // MXPredForward only queues the operators; a failure among them comes out where one waits.
  void forward() override {
    check(MXPredForward(predictor_));
    check(MXNDArrayWaitAll());
  }

  std::vector<float> output() override {
    std::vector<float> values(outputs_);
    check(MXPredGetOutput(predictor_, 0, values.data(), outputs_));
    return values;
  }

 private:
  uint32_t output_size() {
    uint32_t* shape = nullptr;
    uint32_t dimensions = 0;
    check(MXPredGetOutputShape(predictor_, 0, &shape, &dimensions));
    uint32_t size = 1;
    for (uint32_t i = 0; i < dimensions; ++i) size *= shape[i];
    return size;
  }

  void release() {
    if (!predictor_) return;
    MXPredFree(predictor_);
    MXNDArrayWaitAll();
    predictor_ = nullptr;
  }

  const std::string model_dir_;
  const std::vector<uint32_t> image_;
  PredictorHandle predictor_ = nullptr;
  uint32_t outputs_ = 0;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  use_threads(threads);
  return std::unique_ptr<Engine>(new MxnetEngine(model_dir));
}
