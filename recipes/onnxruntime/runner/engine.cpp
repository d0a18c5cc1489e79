// ONNX Runtime's engine for the harness, on its C API (include/onnxruntime/core/session/
// onnxruntime_c_api.h, v1.21.0). Session options are the defaults but for the threads; all graph
// optimizations are on then (onnxruntime/core/framework/session_options.h). Also the engine of the
// recipe onnxruntime-wheel.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "onnxruntime_c_api.h"
#include "threads.h"

const char engine_name[] = "onnxruntime";
const char number_format[] = NUMBER_FORMAT;

namespace {

// Null when the library is older than the header.
const OrtApi* const api = OrtGetApiBase()->GetApi(ORT_API_VERSION);

// What ONNX Runtime threw stands as text in the status: an allocation that failed is a
// std::bad_alloc or the arena's own words (core/framework/allocator.cc, bfc_arena.cc).
bool is_memory(const std::string& message) {
  return message.find("std::bad_alloc") != std::string::npos ||
         message.find("Failed to allocate memory for requested buffer") != std::string::npos;
}

void check(OrtStatus* status) {
  if (!status) return;
  const std::string message = api->GetErrorMessage(status);
  api->ReleaseStatus(status);
  if (is_memory(message)) throw std::bad_alloc();
  throw std::runtime_error(message);
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// Makes an object through the C API's last argument, and sees to it that it is released.
template <typename T, typename... Arguments, typename... Given>
Owned<T> make(void (*release)(T*), OrtStatus* (*create)(Arguments...), Given... given) {
  T* made = nullptr;
  check(create(given..., &made));
  return {made, release};
}

// `profile` is where a session's profile goes, when it ends: the name's beginning; empty: nowhere.
Owned<OrtSession> open_session(const OrtEnv* env, const std::string& file, int threads,
                               const std::string& profile = "") {
  const auto options =
      make<OrtSessionOptions>(api->ReleaseSessionOptions, api->CreateSessionOptions);
  check(api->SetIntraOpNumThreads(options.get(), threads));
  check(api->SetInterOpNumThreads(options.get(), 1));
  check(api->SetSessionExecutionMode(options.get(), ORT_SEQUENTIAL));
  if (!profile.empty()) check(api->EnableProfiling(options.get(), profile.c_str()));
  const int before = threads_now();
  auto session = make<OrtSession>(api->ReleaseSession, api->CreateSession, env, file.c_str(),
                                  static_cast<const OrtSessionOptions*>(options.get()));
  // The pool's threads are started with the session; the caller computes too.
  expect_threads("ONNX Runtime", threads_now() - before + 1, threads);
  return session;
}

std::vector<int64_t> dimensions(const OrtTypeInfo* type) {
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // a part of `type`
  check(api->CastTypeInfoToTensorInfo(type, &tensor));
  if (!tensor) throw std::runtime_error("the network's input and output must be tensors");
  ONNXTensorElementDataType number = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  check(api->GetTensorElementType(tensor, &number));
  if (number != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    throw std::runtime_error("the network's input and output must be float32");
  }
  std::size_t count = 0;
  check(api->GetDimensionsCount(tensor, &count));
  std::vector<int64_t> shape(count);
  check(api->GetDimensions(tensor, shape.data(), count));
  return shape;
}

// What follows `"KEY" :` in a line of a profile, up to the next comma or quotation mark.
std::string field(const std::string& line, const std::string& key) {
  const std::size_t at = line.find('"' + key + "\" :");
  if (at == std::string::npos) return "";
  std::size_t from = at + key.size() + 4;
  while (from < line.size() && (line[from] == ' ' || line[from] == '"')) ++from;
  return line.substr(from, line.find_first_of("\",", from) - from);
}

// One line an event (core/common/profiler.cc), microseconds. Of each node the first run is left
// out: it finds its memory.
void read_profile(const std::string& file, LayerLog& log) {
  const std::string kernel = "_kernel_time";
  std::ifstream lines(file);
  if (!lines) throw std::runtime_error(file + ": ONNX Runtime wrote no profile");
  std::set<std::string> ran;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = field(line, "name");
    if (field(line, "cat") != "Node" || name.size() <= kernel.size()) continue;
    const std::size_t end = name.size() - kernel.size();
    if (name.compare(end, kernel.size(), kernel) || ran.insert(name).second) continue;
    log.took(name.substr(0, end), std::atoll(field(line, "dur").c_str()) * 1000);
  }
}

// One end of the network: its name, its shape with the batch first, and the values.
struct End {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
  Owned<OrtValue> tensor{nullptr, api->ReleaseValue};

  void resize(const OrtMemoryInfo* memory, int batch) {
    tensor.reset();
    shape[0] = batch;
    int64_t size = 1;
    for (int64_t length : shape) {
      if (length < 1) throw std::runtime_error(name + ": only the batch may be open");
      size *= length;
    }
    values.assign(size, 0);
    tensor = make<OrtValue>(api->ReleaseValue, api->CreateTensorWithDataAsOrtValue, memory,
                            static_cast<void*>(values.data()), values.size() * sizeof(float),
                            static_cast<const int64_t*>(shape.data()), shape.size(),
                            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  }
};

class OnnxRuntimeEngine : public Engine {
 public:
  OnnxRuntimeEngine(const std::string& model_dir, int threads)
      : file_(model_dir + "/net.onnx"),
        threads_(threads),
        env_(make<OrtEnv>(api->ReleaseEnv, api->CreateEnv, ORT_LOGGING_LEVEL_WARNING, "runner")),
        memory_(make<OrtMemoryInfo>(api->ReleaseMemoryInfo, api->CreateCpuMemoryInfo,
                                    OrtDeviceAllocator, OrtMemTypeDefault)),
        session_(open_session(env_.get(), file_, threads)) {
    std::size_t inputs = 0, outputs = 0;
    check(api->SessionGetInputCount(session_.get(), &inputs));
    check(api->SessionGetOutputCount(session_.get(), &outputs));
    if (inputs != 1 || outputs != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    describe(input_, api->SessionGetInputName, api->SessionGetInputTypeInfo);
    describe(output_, api->SessionGetOutputName, api->SessionGetOutputTypeInfo);
  }

  void prepare(int batch) override {
    input_.resize(memory_.get(), batch);
    output_.resize(memory_.get(), batch);
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.values.size());
    input_.values.assign(data, data + size);  // the same size: the tensor still lies there
  }

  void forward() override { run(session_.get()); }

  // In a session of its own: the other one, which was timed, writes nothing down.
  bool tell_layers(int passes, LayerLog& log) override {
    const auto session = open_session(env_.get(), file_, threads_, "layers");
    for (int pass = 0; pass <= passes; ++pass) run(session.get());
    OrtAllocator* allocator = nullptr;
    check(api->GetAllocatorWithDefaultOptions(&allocator));
    char* name = nullptr;
    check(api->SessionEndProfiling(session.get(), allocator, &name));
    const std::string profile = name;
    check(api->AllocatorFree(allocator, name));
    read_profile(profile, log);
    std::remove(profile.c_str());
    return true;
  }

  std::vector<float> output() override { return output_.values; }

 private:
  void run(OrtSession* session) {
    const char* const from = input_.name.c_str();
    const char* const to = output_.name.c_str();
    const OrtValue* const given = input_.tensor.get();
    OrtValue* result = output_.tensor.get();
    check(api->Run(session, nullptr, &from, &given, 1, &to, 1, &result));
  }

  template <typename Name, typename Type>
  void describe(End& end, Name name_of, Type type_of) {
    OrtAllocator* allocator = nullptr;  // the library's own, never released
    check(api->GetAllocatorWithDefaultOptions(&allocator));
    char* name = nullptr;
    check(name_of(session_.get(), 0, allocator, &name));
    end.name = name;
    check(api->AllocatorFree(allocator, name));
    const auto type = make<OrtTypeInfo>(api->ReleaseTypeInfo, type_of,
                                        static_cast<const OrtSession*>(session_.get()),
                                        std::size_t(0));
    end.shape = dimensions(type.get());
    if (end.shape.empty()) throw std::runtime_error(end.name + ": there is no batch");
  }

  const std::string file_;
  const int threads_;
  Owned<OrtEnv> env_;
  Owned<OrtMemoryInfo> memory_;
  Owned<OrtSession> session_;
  End input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  if (!api) {
    throw std::runtime_error(std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
                             " is older than the header");
  }
  return std::unique_ptr<Engine>(new OnnxRuntimeEngine(model_dir, threads));
}
