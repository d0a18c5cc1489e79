// TensorFlow Lite's engine for the harness, on its C API (tensorflow/lite/c/c_api.h, v2.14.1).
// NUMBER_FORMAT is what the kernels compute with, as the build script says. Also the engine of the
// recipe tflite-runtime, whose library offers the same API.

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <new>
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

// One scale and one zero point hold for a whole input or output (schema.fbs, QuantizationParameters).
template <typename Number>
Number quantized(float value, const TfLiteQuantizationParams& how) {
  const float step = std::round(value / how.scale) + how.zero_point;
  const float low = std::numeric_limits<Number>::min(), high = std::numeric_limits<Number>::max();
  return Number(std::min(std::max(step, low), high));
}

template <typename Number>
std::vector<float> read(const TfLiteTensor* tensor) {
  const Number* data = static_cast<const Number*>(TfLiteTensorData(tensor));
  const TfLiteQuantizationParams how = TfLiteTensorQuantizationParams(tensor);
  std::vector<float> values(count(tensor));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (int(data[i]) - how.zero_point) * how.scale;
  }
  return values;
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
    if (TfLiteTensorNumDims(input()) != 4) {
      throw std::runtime_error("the input must be batch, height, width, channels");
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
    if (size != count(input())) {
      throw std::runtime_error("the network takes " + std::to_string(count(input())) +
                               " values, not " + std::to_string(size));
    }
    const TfLiteQuantizationParams how = TfLiteTensorQuantizationParams(input());
    switch (TfLiteTensorType(input())) {
      case kTfLiteFloat32: return arrange<float>(data, [](float value) { return value; });
      case kTfLiteInt8:
        return arrange<std::int8_t>(data, [how](float v) { return quantized<std::int8_t>(v, how); });
      case kTfLiteUInt8:
        return arrange<std::uint8_t>(data,
                                     [how](float v) { return quantized<std::uint8_t>(v, how); });
      default: throw std::runtime_error("the input is neither float32 nor an 8-bit number");
    }
  }

  void forward() override { check(TfLiteInterpreterInvoke(interpreter_), "invoke"); }

  std::vector<float> output() override {
    const TfLiteTensor* tensor = TfLiteInterpreterGetOutputTensor(interpreter_, 0);
    const float* floats = static_cast<const float*>(TfLiteTensorData(tensor));
    switch (TfLiteTensorType(tensor)) {
      case kTfLiteFloat32: return std::vector<float>(floats, floats + count(tensor));
      case kTfLiteInt8: return read<std::int8_t>(tensor);
      case kTfLiteUInt8: return read<std::uint8_t>(tensor);
      default: throw std::runtime_error("the output is neither float32 nor an 8-bit number");
    }
  }

 private:
  TfLiteTensor* input() const { return TfLiteInterpreterGetInputTensor(interpreter_, 0); }

  // Channels first, as the harness has them, to channels last.
  template <typename Number, typename Convert>
  void arrange(const float* data, Convert convert) {
    const int batch = TfLiteTensorDim(input(), 0), pixels = TfLiteTensorDim(input(), 1) *
                                                            TfLiteTensorDim(input(), 2);
    const int channels = TfLiteTensorDim(input(), 3);
    Number* to = static_cast<Number*>(TfLiteTensorData(input()));
    for (int image = 0; image < batch; ++image, data += std::size_t(channels) * pixels) {
      for (int pixel = 0; pixel < pixels; ++pixel) {
        for (int channel = 0; channel < channels; ++channel) {
          *to++ = convert(data[std::size_t(channel) * pixels + pixel]);
        }
      }
    }
  }

  TfLiteModel* model_ = nullptr;
  TfLiteInterpreter* interpreter_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new LiteEngine(model_dir, threads));
}
