// NNPACK's engine for the harness. Convolutions go to nnp_convolution_inference, image by image as
// PyTorch does it, with the algorithm NNPACK chooses and weights transformed at load. A max pooling
// of 2x2 and stride 2, fully connected layers and the softmax are NNPACK's too; it has no other
// pooling, so those are plain loops, one channel a task.
//
// Written against Maratyszcza/NNPACK c07e3a0: include/nnpack.h, src/convolution-inference.c.
// With -DCONVOLUTION_ONLY it is linked against a library that carries only the convolution, as
// PyTorch's wheels do: a fully connected layer is then a 1x1 convolution of a 1x1 image.

#include <pthreadpool.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "layers.h"
#include "plain.h"

#if defined(CONVOLUTION_ONLY)
// No wheel ships nnpack.h. This is the part of its interface that is called here.
extern "C" {
enum nnp_status { nnp_status_success = 0, nnp_status_out_of_memory = 52 };
enum nnp_activation { nnp_activation_identity = 0, nnp_activation_relu = 1 };
enum nnp_convolution_algorithm { nnp_convolution_algorithm_auto = 0 };
enum nnp_convolution_transform_strategy {
  nnp_convolution_transform_strategy_compute = 1,
  nnp_convolution_transform_strategy_precompute = 2,
  nnp_convolution_transform_strategy_reuse = 3,
};
struct nnp_size {
  size_t width, height;
};
struct nnp_padding {
  size_t top, right, bottom, left;
};
struct nnp_profile;

nnp_status nnp_initialize(void);
nnp_status nnp_convolution_inference(
    nnp_convolution_algorithm algorithm, nnp_convolution_transform_strategy strategy,
    size_t input_channels, size_t output_channels, nnp_size input_size, nnp_padding input_padding,
    nnp_size kernel_size, nnp_size output_subsampling, const float* input, const float* kernel,
    const float* bias, float* output, void* workspace_buffer, size_t* workspace_size,
    nnp_activation activation, const void* activation_parameters, pthreadpool_t threadpool,
    nnp_profile* profile);
}
#else
#include <nnpack.h>
#endif

const char engine_name[] = "nnpack";
const char number_format[] = "float32";

namespace {

void check(nnp_status status, const std::string& what) {
  if (status == nnp_status_out_of_memory) throw std::bad_alloc();
  if (status != nnp_status_success) {
    throw std::runtime_error(what + ": nnp_status " + std::to_string(status));
  }
}

// Memory on a cache line's boundary, as NNPACK's kernels want their own.
class Aligned {
 public:
  explicit Aligned(std::size_t size) : size_(size) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, std::max<std::size_t>(size, 64))) throw std::bad_alloc();
    memory_.reset(memory);
  }

  void* data() const { return memory_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  std::unique_ptr<void, Free> memory_;
  std::size_t size_;
};

// One group of a convolution. A fully connected layer can be one: a 1x1 kernel on a 1x1 image.
class Convolution {
 public:
  Convolution(const Layer& layer, std::size_t group, bool relu, pthreadpool_t pool)
      : relu_(relu), pool_(pool), name_(layer.name) {
    const bool flat = layer.kind == Kind::fc;
    const Shape input = flat ? Shape{layer.input.size(), 1, 1} : layer.input;
    inputs_ = input.channels / layer.groups;
    outputs_ = layer.output.channels / layer.groups;
    size_ = {input.width, input.height};
    padding_ = {layer.pad, layer.pad, layer.pad, layer.pad};
    kernel_ = {layer.kernel, layer.kernel};
    stride_ = {layer.stride, layer.stride};
    weights_ = &layer.weights[group * outputs_ * inputs_ * layer.kernel * layer.kernel];
    biases_ = &layer.biases[group * outputs_];
    from_ = group * inputs_ * input.height * input.width;
    to_ = group * outputs_ * layer.output.height * layer.output.width;
    transform_weights();
  }

  std::size_t workspace() const {
    std::size_t size = 0;
    check(call(strategy(), nullptr, nullptr, nullptr, nullptr, nullptr, &size), name_);
    return size;
  }

  // Of one image, all channels of which are at `from` and `to`.
  void run(const float* from, float* to, const Aligned& workspace) const {
    std::size_t size = workspace.size();
    const void* weights = transformed_ ? transformed_->data() : weights_;
    check(call(strategy(), from + from_, static_cast<const float*>(weights), biases_, to + to_,
               workspace.data(), &size),
          name_);
  }

 private:
  // Not every algorithm has weights to transform: NNPACK's 1x1 convolution refuses.
  void transform_weights() {
    const auto precompute = nnp_convolution_transform_strategy_precompute;
    std::size_t size = 0;
    if (call(precompute, nullptr, nullptr, nullptr, nullptr, nullptr, &size) != nnp_status_success) {
      return;
    }
    std::unique_ptr<Aligned> memory(new Aligned(size));
    check(call(precompute, nullptr, weights_, nullptr, nullptr, memory->data(), &size), name_);
    transformed_ = std::move(memory);
  }

  nnp_convolution_transform_strategy strategy() const {
    return transformed_ ? nnp_convolution_transform_strategy_reuse
                        : nnp_convolution_transform_strategy_compute;
  }

  nnp_status call(nnp_convolution_transform_strategy strategy, const float* from,
                  const float* weights, const float* biases, float* to, void* workspace,
                  std::size_t* size) const {
    return nnp_convolution_inference(
        nnp_convolution_algorithm_auto, strategy, inputs_, outputs_, size_, padding_, kernel_,
        stride_, from, weights, biases, to, workspace, size,
        relu_ ? nnp_activation_relu : nnp_activation_identity, nullptr, pool_, nullptr);
  }

  bool relu_;
  pthreadpool_t pool_;
  std::string name_;
  std::size_t inputs_, outputs_, from_, to_;
  nnp_size size_, kernel_, stride_;
  nnp_padding padding_;
  const float* weights_;
  const float* biases_;
  std::unique_ptr<Aligned> transformed_;
};

// A layer with its convolutions, one a group, and with the ReLU behind it where those take it in.
struct Step {
  const Layer* layer;
  std::vector<Convolution> convolutions;
  const float* from;
  float* to;
};

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
    const std::size_t used = pthreadpool_get_threads_count(pool_);
    if (used != std::size_t(threads)) {
      throw std::runtime_error("pthreadpool uses " + std::to_string(used) + " thread(s), not " +
                               std::to_string(threads));
    }
    check(nnp_initialize(), "nnp_initialize");
    std::size_t workspace = 0;
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      Step step = {&layer, {}, nullptr, nullptr};
      if (convolves(layer)) {
        const bool relu = i + 1 < network_.layers.size() &&
                          network_.layers[i + 1].kind == Kind::relu;
        for (std::size_t group = 0; group < layer.groups; ++group) {
          step.convolutions.emplace_back(layer, group, relu, pool_);
          workspace = std::max(workspace, step.convolutions.back().workspace());
        }
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
    if (size != input_.size()) {
      throw std::runtime_error("the network takes " + std::to_string(input_.size()) +
                               " values, not " + std::to_string(size));
    }
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
#if defined(CONVOLUTION_ONLY)
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
      for (const Convolution& convolution : step.convolutions) {
        convolution.run(from, to, *workspace_);
      }
#if !defined(CONVOLUTION_ONLY)
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
#if !defined(CONVOLUTION_ONLY)
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
#if !defined(CONVOLUTION_ONLY)
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
