// TensorFlow Lite's engine for the harness, on its C API (tensorflow/lite/c/c_api.h, v2.14.1).
// NUMBER_FORMAT is what the kernels compute with, as the build script says. Also the engine of the
// recipe tflite-runtime, whose library offers the same API.

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "tensorflow/lite/c/c_api.h"

const char engine_name[] = "tflite";
const char number_format[] = NUMBER_FORMAT;

namespace {

std::string last_error;  // TensorFlow Lite reports in lines, and returns only that it failed

void remember(void*, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::fprintf(stderr, "%s\n", line);
  last_error = line;
}

void check(TfLiteStatus status, const char* what) {
  if (status != kTfLiteOk) throw std::runtime_error(std::string(what) + ": " + last_error);
}

std::size_t count(const TfLiteTensor* tensor) {
  std::size_t all = 1;
  for (int i = 0; i < TfLiteTensorNumDims(tensor); ++i) all *= TfLiteTensorDim(tensor, i);
  return all;
}

class LiteEngine : public Engine {
 public:
  LiteEngine(const std::string& model_dir, int threads) {
    const std::string file = model_dir + "/net.tflite";
    model_ = TfLiteModelCreateFromFileWithErrorReporter(file.c_str(), remember, nullptr);
    if (!model_) throw std::runtime_error(file + ": " + last_error);
    TfLiteInterpreterOptions* options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(options, threads);
    TfLiteInterpreterOptionsSetErrorReporter(options, remember, nullptr);
    interpreter_ = TfLiteInterpreterCreate(model_, options);
    TfLiteInterpreterOptionsDelete(options);
    if (!interpreter_) throw std::runtime_error(file + ": " + last_error);
    if (TfLiteInterpreterGetInputTensorCount(interpreter_) != 1 ||
        TfLiteInterpreterGetOutputTensorCount(interpreter_) != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    if (TfLiteTensorNumDims(input()) != 4 || TfLiteTensorType(input()) != kTfLiteFloat32 ||
        TfLiteTensorType(result()) != kTfLiteFloat32) {
      throw std::runtime_error("the input must be batch, height, width, channels, and both float32");
    }
  }

  ~LiteEngine() override {
    TfLiteInterpreterDelete(interpreter_);
    TfLiteModelDelete(model_);
  }

  void prepare(int batch) override {
    const int shape[] = {batch, TfLiteTensorDim(input(), 1), TfLiteTensorDim(input(), 2),
                         TfLiteTensorDim(input(), 3)};
    check(TfLiteInterpreterResizeInputTensor(interpreter_, 0, shape, 4), "resize");
    check(TfLiteInterpreterAllocateTensors(interpreter_), "allocate");
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, count(input()));
    // Channels first, as the harness has them, to channels last.
    const int batch = TfLiteTensorDim(input(), 0), channels = TfLiteTensorDim(input(), 3);
    const std::size_t pixels = TfLiteTensorDim(input(), 1) * TfLiteTensorDim(input(), 2);
    float* to = static_cast<float*>(TfLiteTensorData(input()));
    for (int image = 0; image < batch; ++image, data += channels * pixels) {
      for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (int channel = 0; channel < channels; ++channel) *to++ = data[channel * pixels + pixel];
      }
    }
  }

  void forward() override { check(TfLiteInterpreterInvoke(interpreter_), "invoke"); }

  std::vector<float> output() override {
    const float* data = static_cast<const float*>(TfLiteTensorData(result()));
    return std::vector<float>(data, data + count(result()));
  }

 private:
  TfLiteTensor* input() const { return TfLiteInterpreterGetInputTensor(interpreter_, 0); }
  const TfLiteTensor* result() const { return TfLiteInterpreterGetOutputTensor(interpreter_, 0); }

  TfLiteModel* model_ = nullptr;
  TfLiteInterpreter* interpreter_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new LiteEngine(model_dir, threads));
}
