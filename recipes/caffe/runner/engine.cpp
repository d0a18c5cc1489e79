// Caffe's engine for the harness, on its C++ API: one Net in the TEST phase, Forward() only.
// (`caffe time` would time the backward pass as well.) Written against BVLC/caffe 99bd997 and
// glog 0.6; compile it with the CPU_ONLY that Caffe itself was built with.

#include <dlfcn.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <caffe/caffe.hpp>
#include <glog/logging.h>

#include "harness.h"

const char engine_name[] = "caffe";
const char number_format[] = "float32";

namespace {

// Caffe does not throw: a failed CHECK, also that of an allocation, is a FATAL log line, and glog
// then calls the failure function. The sink keeps the line for it.
class FatalLine : public google::LogSink {
 public:
  void send(google::LogSeverity severity, const char*, const char*, int, const ::tm*,
            const char* message, size_t size) override {
    if (severity == google::GLOG_FATAL) text.assign(message, size);
  }

  std::string text;
};

FatalLine fatal_line;

void on_fatal() {
  // include/caffe/syncedmem.hpp, CaffeMallocHost: "host allocation of size N failed".
  const bool memory = fatal_line.text.find("host allocation of size") != std::string::npos;
  give_up(memory ? "oom" : "error", fatal_line.text);
}

void set_up_logging() {
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_ERROR;
  google::InitGoogleLogging("runner");
  google::AddLogSink(&fatal_line);
  google::InstallFailureFunction(&on_fatal);
}

// Looked up at run time, because the BLAS is chosen by the bundle and not when this is linked.
template <typename Function>
Function find(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, symbol));
}

struct Threads {
  std::function<void(int)> set;
  std::function<int()> get;
};

// BLIS counts in its dim_t, which is as wide as a long on every Linux (its configure's default).
Threads threads_of_the_blas() {
  if (const auto set = find<void (*)(int)>("openblas_set_num_threads")) {
    return {set, find<int (*)()>("openblas_get_num_threads")};
  }
  if (const auto set = find<void (*)(long)>("bli_thread_set_num_threads")) {
    const auto get = find<long (*)()>("bli_thread_get_num_threads");
    return {set, [get] { return int(get()); }};
  }
  return {[](int) {}, [] { return 1; }};
}

// A time with the wrong number of threads beside it would be worse than none.
void use_threads(int threads) {
  const Threads blas = threads_of_the_blas();
  blas.set(threads);
  const int used = blas.get();
  if (used != threads) {
    throw std::runtime_error("this BLAS uses " + std::to_string(used) + " thread(s), not " +
                             std::to_string(threads) + ": build it for more (max_threads)");
  }
}

class CaffeEngine : public Engine {
 public:
  explicit CaffeEngine(const std::string& model_dir)
      : net_(model_dir + "/net.prototxt", caffe::TEST) {
    net_.CopyTrainedLayersFrom(model_dir + "/net.caffemodel");
    if (net_.num_inputs() != 1 || net_.num_outputs() != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
  }

  void prepare(int batch) override {
    std::vector<int> shape = input().shape();
    shape[0] = batch;
    input().Reshape(shape);
    net_.Reshape();
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, std::size_t(input().count()));
    std::copy(data, data + size, input().mutable_cpu_data());
  }

  void forward() override { net_.Forward(); }

  std::vector<float> output() override {
    const caffe::Blob<float>& blob = *net_.output_blobs()[0];
    return std::vector<float>(blob.cpu_data(), blob.cpu_data() + blob.count());
  }

  bool tell_layers(int passes, LayerLog& log) override {
    const int count = int(net_.layers().size());
    for (int pass = 0; pass < passes; ++pass) {
      log.begin();
      for (int layer = 0; layer < count; ++layer) {
        net_.ForwardFromTo(layer, layer);
        log.end(net_.layer_names()[layer]);
      }
    }
    return true;
  }

 private:
  caffe::Blob<float>& input() { return *net_.input_blobs()[0]; }

  caffe::Net<float> net_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  set_up_logging();
  use_threads(threads);
  caffe::Caffe::set_mode(caffe::Caffe::CPU);
  return std::unique_ptr<Engine>(new CaffeEngine(model_dir));
}
