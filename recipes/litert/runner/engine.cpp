// LiteRT's engine for the harness, on its C API (litert.h), 2.3.0. NUMBER_FORMAT is what the kernels
// compute with and OWN_KERNELS whether they are LiteRT's own, as the build script says.

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "litert.h"
#include "threads.h"

const char engine_name[] = "litert";
const char number_format[] = NUMBER_FORMAT;

namespace {

const int FLOAT32 = 1;             // a tensor's type
const int CPU = 1;                 // an accelerator, one bit
const int OWN = 2;                 // a kernel mode; 0 is XNNPACK's
const int OPERATOR = 2;            // an event: an operator of the graph
const int DELEGATED = 8;           // an event: an operator of what XNNPACK made of its part
const int NO_MEMORY = 2;           // a status
const std::size_t ALIGNMENT = 64;  // of memory that LiteRT takes as it is

// All that a caller is told is a number; LiteRT's words go to stderr.
void check(LiteRtStatus status, const char* what) {
  if (status == NO_MEMORY) throw std::bad_alloc();
  if (status) {
    throw std::runtime_error(std::string(what) + ": LiteRT's status " + std::to_string(status) +
                             ", and its words on stderr");
  }
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// Makes an object through the C API's last argument, and sees to it that it is released.
template <typename T, typename... Arguments, typename... Given>
Owned<T> make(const char* what, void (*release)(T*), LiteRtStatus (*create)(Arguments...),
              Given... given) {
  T* made = nullptr;
  check(create(given..., &made), what);
  return {made, release};
}

// The CPU alone, and warnings: by itself LiteRT would look for libraries of GPUs, by their names.
Owned<LiteRtEnvironmentT> open_environment() {
  LiteRtEnvOption options[2] = {};
  options[0].tag = 24;  // which accelerators to register, bits
  options[0].value.type = 2;
  options[0].value.number = CPU;
  options[1].tag = 25;  // the least severity of what is logged
  options[1].value.type = 2;
  options[1].value.number = 2;
  return make("LiteRtCreateEnvironment", LiteRtDestroyEnvironment, LiteRtCreateEnvironment, 2,
              static_cast<const LiteRtEnvOption*>(options));
}

// Options of a part of LiteRT's are lines of TOML under that part's name (litert/c/options/*.cc).
// One that is misspelt counts for nothing, and so do lines that are no TOML: nobody says so.
void tell(LiteRtOptions options, const char* part, const std::string& lines) {
  LiteRtOpaqueOptions told = nullptr;
  check(LiteRtCreateOpaqueOptions(part, strdup(lines.c_str()), std::free, &told), part);
  check(LiteRtAddOpaqueOptions(options, told), part);
}

Owned<LiteRtCompiledModelT> compile(LiteRtEnvironment environment, LiteRtModel model, int threads,
                                    bool profiled) {
  const auto options = make("LiteRtCreateOptions", LiteRtDestroyOptions, LiteRtCreateOptions);
  check(LiteRtSetOptionsHardwareAccelerators(options.get(), CPU), "the CPU");
  tell(options.get(), "xnnpack",
       "num_threads = " + std::to_string(threads) +
           "\nkernel_mode = " + std::to_string(OWN_KERNELS ? OWN : 0) + "\n");
  if (profiled) tell(options.get(), "runtime_options_string", "enable_profiling = true\n");
  const int before = threads_now();
  auto made = make("LiteRtCreateCompiledModel", LiteRtDestroyCompiledModel,
                   LiteRtCreateCompiledModel, environment, model, options.get());
  // XNNPACK's pool is started here, and the caller computes too. LiteRT's own kernels get none.
  expect_threads(OWN_KERNELS ? "LiteRT on its own kernels" : "LiteRT", threads_now() - before + 1,
                 threads);
  bool whole = false;
  check(LiteRtCompiledModelIsFullyAccelerated(made.get(), &whole), "what XNNPACK takes");
  if (whole && OWN_KERNELS) throw std::runtime_error("LiteRT computes with XNNPACK all the same");
  return made;
}

// One end of the network, the batch first: its type, and the values where LiteRT reads and writes.
class End {
 public:
  LiteRtRankedTensorType type;

  std::size_t size() const { return size_; }
  float* values() const { return memory_.get(); }
  LiteRtTensorBuffer buffer() const { return buffer_.get(); }

  // The type's sizes have changed.
  void resized() {
    buffer_.reset();
    size_ = 1;
    for (unsigned i = 0; i < type.layout.rank; ++i) size_ *= type.layout.dimensions[i];
    const std::size_t bytes = size_ * sizeof(float);
    const std::size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memory_.reset(static_cast<float*>(aligned_alloc(ALIGNMENT, whole)));
    if (!memory_) throw std::bad_alloc();
    std::memset(memory_.get(), 0, whole);
    buffer_ = make("a buffer", LiteRtDestroyTensorBuffer, LiteRtCreateTensorBufferFromHostMemory,
                   static_cast<const LiteRtRankedTensorType*>(&type),
                   static_cast<void*>(memory_.get()), bytes,
                   static_cast<void (*)(void*)>(nullptr));
  }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };

  std::size_t size_ = 0;
  std::unique_ptr<float, Free> memory_;
  Owned<LiteRtTensorBufferT> buffer_{nullptr, LiteRtDestroyTensorBuffer};
};

// Gives one pass's operators to the log, each with its place in the pass: LiteRT numbers the graph's
// and those of each part that XNNPACK took from 0. The part itself is no event.
void read_events(LiteRtProfiler profiler, LayerLog& log) {
  int count = 0, place = 0;
  check(LiteRtGetNumProfilerEvents(profiler, &count), "the profiler");
  std::vector<ProfiledEventData> events(count);
  check(LiteRtGetProfilerEvents(profiler, count, events.data()), "the profiler");
  for (const ProfiledEventData& event : events) {
    if (event.event_type != OPERATOR && event.event_type != DELEGATED) continue;
    log.took(std::to_string(place++) + " " + event.tag, event.elapsed_us * 1000);
  }
}

class LiteRtEngine : public Engine {
 public:
  LiteRtEngine(const std::string& model_dir, int threads)
      : threads_(threads),
        environment_(open_environment()),
        model_(make("LiteRtCreateModelFromFile", LiteRtDestroyModel, LiteRtCreateModelFromFile,
                    environment_.get(),
                    static_cast<const char*>((model_dir + "/net.tflite").c_str()))),
        compiled_(compile(environment_.get(), model_.get(), threads, false)) {
    LiteRtSignature signature = nullptr;  // a part of the model, as the tensors are
    check(LiteRtGetModelSignature(model_.get(), 0, &signature), "the signature");
    LiteRtParamIndex inputs = 0, outputs = 0;
    check(LiteRtGetNumSignatureInputs(signature, &inputs), "inputs");
    check(LiteRtGetNumSignatureOutputs(signature, &outputs), "outputs");
    if (inputs != 1 || outputs != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    LiteRtTensor tensor = nullptr;
    check(LiteRtGetSignatureInputTensorByIndex(signature, 0, &tensor), "the input");
    check(LiteRtGetRankedTensorType(tensor, &input_.type), "the input");
    check(LiteRtGetSignatureOutputTensorByIndex(signature, 0, &tensor), "the output");
    check(LiteRtGetRankedTensorType(tensor, &output_.type), "the output");
    if (input_.type.layout.rank != 4 || input_.type.element_type != FLOAT32 ||
        output_.type.element_type != FLOAT32) {
      throw std::runtime_error("the input must be batch, height, width, channels, and both float32");
    }
  }

  void prepare(int batch) override {
    resize(compiled_.get(), batch);
    input_.resized();
    output_.resized();
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.size());
    // Channels first, as the harness has them, to channels last.
    const std::int32_t* shape = input_.type.layout.dimensions;
    const std::size_t pixels = std::size_t(shape[1]) * shape[2];
    float* to = input_.values();
    for (int image = 0; image < shape[0]; ++image, data += shape[3] * pixels) {
      for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (int channel = 0; channel < shape[3]; ++channel) *to++ = data[channel * pixels + pixel];
      }
    }
  }

  void forward() override { run(compiled_.get()); }

  // By a model compiled once more: a profiler's cost is then none of the timed one's.
  bool tell_layers(int passes, LayerLog& log) override {
    const auto profiled = compile(environment_.get(), model_.get(), threads_, true);
    resize(profiled.get(), input_.type.layout.dimensions[0]);
    LiteRtProfiler profiler = nullptr;  // a part of it
    check(LiteRtCompiledModelGetProfiler(profiled.get(), &profiler), "the profiler");
    run(profiled.get());  // the first one finds its memory
    for (int pass = 0; pass < passes; ++pass) {
      check(LiteRtResetProfiler(profiler), "the profiler");
      check(LiteRtStartProfiler(profiler), "the profiler");
      run(profiled.get());
      check(LiteRtStopProfiler(profiler), "the profiler");
      read_events(profiler, log);
    }
    return true;
  }

  std::vector<float> output() override {
    return std::vector<float>(output_.values(), output_.values() + output_.size());
  }

 private:
  // Sizes of both ends for this batch, whatever batch the file names.
  void resize(LiteRtCompiledModel compiled, int batch) {
    LiteRtLayout& shape = input_.type.layout;
    shape.dimensions[0] = batch;
    check(LiteRtCompiledModelResizeInputTensorNonStrict(compiled, 0, 0, shape.dimensions,
                                                        shape.rank),
          "resize");
    check(LiteRtGetCompiledModelOutputTensorLayouts(compiled, 0, 1, &output_.type.layout, true),
          "allocate");
  }

  void run(LiteRtCompiledModel compiled) {
    LiteRtTensorBuffer from = input_.buffer(), to = output_.buffer();
    check(LiteRtRunCompiledModel(compiled, 0, 1, &from, 1, &to), "LiteRtRunCompiledModel");
  }

  const int threads_;
  const Owned<LiteRtEnvironmentT> environment_;
  const Owned<LiteRtModelT> model_;
  const Owned<LiteRtCompiledModelT> compiled_;
  End input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new LiteRtEngine(model_dir, threads));
}
