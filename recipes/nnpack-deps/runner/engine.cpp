// A network on NNPACK's dependencies alone, to show that they work on a board: threads by
// pthreadpool, four columns at a time by psimd, images and channels told apart by FXdiv, the
// processor by cpuinfo. FP16 computes nothing here, because float16 weights would leave the
// tolerance: its conversions are checked at load, all 65536 of them. Written against the commits in
// recipe.yaml; the loops are direct convolution, as simple as can be.

#include <cpuinfo.h>
#include <fp16.h>
#include <fxdiv.h>
#include <psimd.h>
#include <pthreadpool.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "layers.h"
#include "plain.h"

const char engine_name[] = "nnpack-deps";
const char number_format[] = "float32";

namespace {

const std::size_t lanes = 4;  // of a psimd_f32

// What FP16 says a half is, against IEEE 754's definition of it, and back again.
void check_fp16() {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) continue;  // infinities and NaN
    const int mantissa = exponent ? fraction + 1024 : fraction;
    const double size = std::ldexp(mantissa, std::max(exponent, 1) - 25);
    const float value = fp16_ieee_to_fp32_value(std::uint16_t(bits));
    if (value != float(bits & 0x8000 ? -size : size) || fp16_ieee_from_fp32_value(value) != bits) {
      throw std::runtime_error("FP16 converts " + std::to_string(bits) + " wrongly");
    }
  }
}

void check_processor() {
  if (!cpuinfo_initialize()) throw std::runtime_error("cpuinfo does not know this processor");
#if defined(__ARM_NEON)
  if (!cpuinfo_has_arm_neon()) {
    throw std::runtime_error("compiled for NEON, which cpuinfo does not find in this processor");
  }
#endif
}

// The image of a convolution with its border of zeros.
struct Padded {
  std::size_t width = 0, height = 0, channels = 0;
  std::vector<float> values;  // of all images of a batch

  std::size_t size() const { return channels * height * width; }
};

// One step of the network over all images: what a thread needs to know to do one channel of one.
struct Step {
  const Layer* layer;
  const float* from;
  float* to;
  Padded padded;
  fxdiv_divisor_size_t channels;  // of the output; a task's number is image x channels + channel
};

void pad(Step& step, std::size_t batch) {
  const Layer& layer = *step.layer;
  Padded& padded = step.padded;
  for (std::size_t row = 0; row < batch * padded.channels * layer.input.height; ++row) {
    const std::size_t plane = row / layer.input.height, y = row % layer.input.height;
    const float* from = step.from + row * layer.input.width;
    std::copy(from, from + layer.input.width,
              padded.values.begin() +
                  (plane * padded.height + y + layer.pad) * padded.width + layer.pad);
  }
}

void convolve_row(const Layer& layer, const Padded& image, const float* from, const float* weights,
                  float bias, float* to) {
  const std::size_t inputs = layer.input.channels / layer.groups, kernel = layer.kernel;
  std::size_t x = 0;
  for (; layer.stride == 1 && x + lanes <= layer.output.width; x += lanes) {
    psimd_f32 sum = psimd_splat_f32(bias);
    const float* weight = weights;
    for (std::size_t c = 0; c < inputs; ++c) {
      for (std::size_t i = 0; i < kernel; ++i) {
        const float* row = from + (c * image.height + i) * image.width + x;
        for (std::size_t j = 0; j < kernel; ++j) {
          sum = psimd_qfma_f32(sum, psimd_load_f32(row + j), psimd_load_splat_f32(weight++));
        }
      }
    }
    psimd_store_f32(to + x, sum);
  }
  for (; x < layer.output.width; ++x) {  // what is left of the row, or every place of a strided one
    float sum = bias;
    const float* weight = weights;
    for (std::size_t c = 0; c < inputs; ++c) {
      for (std::size_t i = 0; i < kernel; ++i) {
        const float* row = from + (c * image.height + i) * image.width + x * layer.stride;
        for (std::size_t j = 0; j < kernel; ++j) sum += row[j] * *weight++;
      }
    }
    to[x] = sum;
  }
}

float dot(const float* a, const float* b, std::size_t size) {
  psimd_f32 sums = psimd_splat_f32(0);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    sums = psimd_qfma_f32(sums, psimd_load_f32(a + i), psimd_load_f32(b + i));
  }
  float parts[lanes];
  psimd_store_f32(parts, sums);
  float sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
  for (; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

// A task of the pool: one output channel of one image; a softmax is one task an image.
void compute(void* context, std::size_t number) {
  const Step& step = *static_cast<const Step*>(context);
  const Layer& layer = *step.layer;
  const fxdiv_result_size_t place = fxdiv_divide_size_t(number, step.channels);
  const std::size_t image = place.quotient, channel = place.remainder;
  const std::size_t in_area = layer.input.height * layer.input.width;
  const std::size_t out_area = layer.output.height * layer.output.width;
  const float* from = step.from + image * layer.input.size();
  float* to = step.to + image * layer.output.size() + channel * out_area;
  switch (layer.kind) {
    case Kind::conv: {
      const std::size_t inputs = layer.input.channels / layer.groups;
      const std::size_t group = channel / (layer.output.channels / layer.groups);
      const float* weights = &layer.weights[channel * inputs * layer.kernel * layer.kernel];
      const Padded& padded = step.padded;
      const float* first = padded.values.data() + image * padded.size() +
                           group * inputs * padded.height * padded.width;
      for (std::size_t y = 0; y < layer.output.height; ++y) {
        convolve_row(layer, padded, first + y * layer.stride * padded.width, weights,
                     layer.biases[channel], to + y * layer.output.width);
      }
      break;
    }
    case Kind::fc: {
      const std::size_t inputs = layer.input.size();
      *to = dot(from, &layer.weights[channel * inputs], inputs) + layer.biases[channel];
      break;
    }
    case Kind::max_pool:
    case Kind::average_pool:
      plain::pool(layer, from + channel * in_area, to);
      break;
    case Kind::relu:
      plain::relu(out_area, from + channel * in_area, to);
      break;
    case Kind::softmax:
      plain::softmax(layer.output, from, to);
      break;
  }
}

class PlainEngine : public Engine {
 public:
  PlainEngine(const std::string& model_dir, int threads)
      : network_(read_network(model_dir)), pool_(pthreadpool_create(threads)) {
    if (!pool_) throw std::bad_alloc();
    expect_threads("pthreadpool", pthreadpool_get_threads_count(pool_), threads);
  }

  ~PlainEngine() override { pthreadpool_destroy(pool_); }

  void prepare(int batch) override {
    batch_ = batch;
    values_.assign(network_.layers.size() + 1, {});
    steps_.clear();
    values_[0].assign(batch_ * network_.input.size(), 0);
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      values_[i + 1].assign(batch_ * layer.output.size(), 0);
      const std::size_t channels = layer.kind == Kind::softmax ? 1 : layer.output.channels;
      Step step = {&layer, values_[i].data(), values_[i + 1].data(), Padded(),
                   fxdiv_init_size_t(channels)};
      if (layer.kind == Kind::conv) {
        step.padded.channels = layer.input.channels;
        step.padded.height = layer.input.height + 2 * layer.pad;
        step.padded.width = layer.input.width + 2 * layer.pad;
        step.padded.values.assign(batch_ * step.padded.size(), 0);
      }
      steps_.push_back(std::move(step));
    }
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, values_[0].size());
    std::copy(data, data + size, values_[0].begin());
  }

  void forward() override {
    for (Step& step : steps_) {
      if (step.layer->kind == Kind::conv) pad(step, batch_);
      pthreadpool_parallelize_1d(pool_, compute, &step, batch_ * step.channels.value, 0);
    }
  }

  std::vector<float> output() override { return values_.back(); }

 private:
  Network network_;
  pthreadpool_t pool_;
  std::size_t batch_ = 0;
  std::vector<std::vector<float>> values_;  // before and after each layer
  std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  check_processor();
  check_fp16();
  return std::unique_ptr<Engine>(new PlainEngine(model_dir, threads));
}
