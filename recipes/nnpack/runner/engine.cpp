// NNPACK's engine for the harness. Convolutions go to nnp_convolution_inference, image by image as
// PyTorch does it, with the algorithm NNPACK chooses and weights transformed at load. A max pooling
// of 2x2 and stride 2, fully connected layers and the softmax are NNPACK's too; it has no other
// pooling, so those are plain loops, one channel a task.
//
// With -DNNPACK_CONVOLUTION_ONLY it is linked against a library that carries only the convolution,
// as PyTorch's wheels do: a fully connected layer is then a 1x1 convolution of a 1x1 image.

#include <pthreadpool.h>

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "convolution.h"
#include "harness.h"
#include "layers.h"
#include "plain.h"

const char engine_name[] = "nnpack";
const char number_format[] = "float32";

namespace {

using nnpack::Aligned;
using nnpack::Convolution;
using nnpack::check;

// A layer with its convolutions, one a group, and with the ReLU behind it where those take it in.
struct Step {
  const Layer* layer;
  std::vector<Convolution> groups;
  const float* from;
  float* to;
};

// A fully connected layer can be a convolution: a 1x1 kernel on a 1x1 image.
std::vector<Convolution> convolutions(const Layer& layer, bool relu, pthreadpool_t pool) {
  const bool flat = layer.kind == Kind::fc;
  const Shape input = flat ? Shape{layer.input.size(), 1, 1} : layer.input;
  const nnpack::Geometry geometry = {layer.name,
                                     input.channels / layer.groups,
                                     layer.output.channels / layer.groups,
                                     {input.width, input.height},
                                     layer.kernel,
                                     layer.stride,
                                     layer.pad,
                                     relu};
  std::vector<Convolution> groups;
  for (std::size_t first = 0; first < layer.biases.size(); first += geometry.outputs) {
    const std::size_t weights = geometry.inputs * layer.kernel * layer.kernel;
    groups.emplace_back(geometry, &layer.weights[first * weights], &layer.biases[first], pool);
  }
  return groups;
}

void pool_plane(void* context, std::size_t plane) {
  const Step& step = *static_cast<const Step*>(context);
  const Shape &input = step.layer->input, &output = step.layer->output;
  plain::pool(*step.layer, step.from + plane * input.height * input.width,
              step.to + plane * output.height * output.width);
}

class NnpackEngine : public Engine {
 public:
  NnpackEngine(const std::string& model_dir, int threads)
      : network_(read_network(model_dir)), pool_(pthreadpool_create(threads)) {
    if (!pool_) throw std::bad_alloc();
    expect_threads("pthreadpool", pthreadpool_get_threads_count(pool_), threads);
    check(nnp_initialize(), "nnp_initialize");
    std::size_t workspace = 0;
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      Step step = {&layer, {}, nullptr, nullptr};
      if (convolves(layer)) {
        const bool relu = i + 1 < network_.layers.size() &&
                          network_.layers[i + 1].kind == Kind::relu;
        step.groups = convolutions(layer, relu, pool_);
        workspace = std::max(workspace, step.groups[0].workspace());
        if (relu) ++i;
      }
      steps_.push_back(std::move(step));
    }
    workspace_.reset(new Aligned(workspace));
  }

  ~NnpackEngine() override { pthreadpool_destroy(pool_); }

  void prepare(int batch) override {
    batch_ = batch;
    input_.assign(batch_ * network_.input.size(), 0);
    values_.assign(steps_.size(), {});
    const float* before = input_.data();
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      values_[i].assign(batch_ * steps_[i].layer->output.size(), 0);
      steps_[i].from = before;
      before = steps_[i].to = values_[i].data();
    }
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.size());
    std::copy(data, data + size, input_.begin());
  }

  void forward() override {
    for (Step& step : steps_) {
      switch (step.layer->kind) {
        case Kind::conv:
        case Kind::fc:
          weighted(step);
          break;
        case Kind::max_pool:
        case Kind::average_pool:
          pool(step);
          break;
        case Kind::relu:
          plain::relu(batch_ * step.layer->output.size(), step.from, step.to);
          break;
        case Kind::softmax:
          softmax(step);
          break;
      }
    }
  }

  std::vector<float> output() override { return values_.back(); }

 private:
  static bool convolves(const Layer& layer) {
#if defined(NNPACK_CONVOLUTION_ONLY)
    return layer.kind == Kind::conv || layer.kind == Kind::fc;
#else
    return layer.kind == Kind::conv;
#endif
  }

  void weighted(const Step& step) {
    const Layer& layer = *step.layer;
    for (std::size_t image = 0; image < batch_; ++image) {
      const float* from = step.from + image * layer.input.size();
      float* to = step.to + image * layer.output.size();
      for (std::size_t group = 0; group < step.groups.size(); ++group) {
        step.groups[group].run(from + group * layer.input.size() / layer.groups,
                               to + group * layer.output.size() / layer.groups, *workspace_);
      }
#if !defined(NNPACK_CONVOLUTION_ONLY)
      if (layer.kind == Kind::fc) {  // without a bias in NNPACK
        check(nnp_fully_connected_inference(layer.input.size(), layer.output.size(), from,
                                            layer.weights.data(), to, pool_),
              layer.name);
        for (std::size_t i = 0; i < layer.biases.size(); ++i) to[i] += layer.biases[i];
      }
#endif
    }
  }

  void pool(Step& step) {
    const Layer& layer = *step.layer;
#if !defined(NNPACK_CONVOLUTION_ONLY)
    // It rounds sizes up, so only where the pooling divides exactly is it the same layer.
    const bool exact = layer.input.height % 2 == 0 && layer.input.width % 2 == 0;
    if (layer.kind == Kind::max_pool && layer.kernel == 2 && layer.stride == 2 && exact) {
      const nnp_size size = {layer.input.width, layer.input.height}, two = {2, 2};
      check(nnp_max_pooling_output(batch_, layer.input.channels, size, nnp_padding{0, 0, 0, 0},
                                   two, two, step.from, step.to, pool_),
            layer.name);
      return;
    }
#endif
    pthreadpool_parallelize_1d(pool_, pool_plane, &step, batch_ * layer.input.channels, 0);
  }

  void softmax(const Step& step) {
    const Shape& shape = step.layer->output;
#if !defined(NNPACK_CONVOLUTION_ONLY)
    if (shape.height * shape.width == 1) {
      check(nnp_softmax_output(batch_, shape.channels, step.from, step.to, pool_),
            step.layer->name);
      return;
    }
#endif
    for (std::size_t image = 0; image < batch_; ++image) {
      plain::softmax(shape, step.from + image * shape.size(), step.to + image * shape.size());
    }
  }

  Network network_;
  pthreadpool_t pool_;
  std::vector<Step> steps_;
  std::unique_ptr<Aligned> workspace_;
  std::size_t batch_ = 0;
  std::vector<float> input_;
  std::vector<std::vector<float>> values_;  // behind each step
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new NnpackEngine(model_dir, threads));
}
