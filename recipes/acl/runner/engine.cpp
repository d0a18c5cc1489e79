// The Arm Compute Library's engine for the harness: one NEON function a layer, as Arm NN's CpuAcc
// backend uses them (ARM-software/armnn v23.08, src/backends/neon/workloads). Written against
// ARM-software/ComputeLibrary v24.11, arm_compute/runtime/NEON/functions. C++14.
//
// Images are height, width, channels (NHWC): Winograd, indirect GEMM and the depthwise kernels work
// on that; for the other order the library turns tensors around them (face-cnn, batch 1: 61 million
// instructions an image and not 38; mobilenet: 70 and not 47).

#include <arm_compute/core/Types.h>
#include <arm_compute/runtime/Allocator.h>
#include <arm_compute/runtime/MemoryGroup.h>
#include <arm_compute/runtime/MemoryManagerOnDemand.h>
#include <arm_compute/runtime/NEON/functions/NEActivationLayer.h>
#include <arm_compute/runtime/NEON/functions/NEConvolutionLayer.h>
#include <arm_compute/runtime/NEON/functions/NEDepthwiseConvolutionLayer.h>
#include <arm_compute/runtime/NEON/functions/NEFullyConnectedLayer.h>
#include <arm_compute/runtime/NEON/functions/NEPermute.h>
#include <arm_compute/runtime/NEON/functions/NEPoolingLayer.h>
#include <arm_compute/runtime/NEON/functions/NESoftmaxLayer.h>
#include <arm_compute/runtime/Scheduler.h>
#include <arm_compute/runtime/Tensor.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "layers.h"

const char engine_name[] = "acl";
const char number_format[] = "float32";

namespace {

namespace acl = arm_compute;

const acl::DataLayout layout = acl::DataLayout::NHWC;

// The library names the fastest dimension first.
acl::TensorInfo image(const Shape& shape, std::size_t count) {
  return {acl::TensorShape(shape.channels, shape.width, shape.height, count), 1,
          acl::DataType::F32, layout};
}

acl::TensorInfo rows(std::size_t size, std::size_t count) {
  return {acl::TensorShape(size, count), 1, acl::DataType::F32};
}

// Makes a tensor of values that lie elsewhere and stay there.
void borrow(const float* values, acl::Tensor& tensor) {
  const acl::Status status = tensor.allocator()->import_memory(const_cast<float*>(values));
  if (!status) throw std::runtime_error("import_memory: " + status.error_description());
  if (tensor.info()->has_padding()) throw std::runtime_error("import_memory: a padded tensor");
}

// Fills an image tensor with (count, channels, height, width).
void turn(const Shape& shape, std::size_t count, const float* values, acl::Tensor& tensor) {
  acl::Tensor from;
  from.allocator()->init({acl::TensorShape(shape.width, shape.height, shape.channels, count), 1,
                          acl::DataType::F32});
  borrow(values, from);
  acl::NEPermute permute;
  permute.configure(&from, &tensor, acl::PermutationVector(2U, 0U, 1U));
  permute.run();
}

// A layer's function and what it owns. The function refers to the tensors, so none of it moves.
struct Step {
  const Layer* layer;
  acl::Tensor weights, biases, output;
  std::unique_ptr<acl::IFunction> function;
};

// A network for one batch size.
class Graph {
 public:
  Graph(const Network& network, std::size_t batch)
      : batch_(batch),
        workspace_(acl::MemoryManagerOnDemand::make_default()),
        transitions_(acl::MemoryManagerOnDemand::make_default()),
        between_(transitions_) {
    input_.allocator()->init(image(network.input, batch));
    acl::Tensor* before = &input_;
    const std::vector<Layer>& layers = network.layers;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      const bool relu =
          i + 1 < layers.size() && can_clip(layer) && layers[i + 1].kind == Kind::relu;
      if (relu) ++i;
      steps_.emplace_back();
      steps_.back().layer = &layer;
      add(steps_.back(), relu, i + 1 == layers.size(), *before);
      before->allocator()->allocate();  // its life ends here: a later tensor may take its place
      before = &steps_.back().output;
    }
    before->allocator()->allocate();
    acl::Allocator allocator;
    workspace_->populate(allocator, 1);
    transitions_->populate(allocator, 1);
    for (Step& step : steps_) fill(step);
  }

  acl::Tensor& input() { return input_; }

  void run() {
    acl::MemoryGroupResourceScope scope(between_);
    for (Step& step : steps_) step.function->run();
  }

  std::vector<float> output() {
    const acl::Tensor& last = steps_.back().output;
    const std::size_t size = last.info()->dimension(0);
    std::vector<float> values(batch_ * size);
    for (std::size_t i = 0; i < batch_; ++i) {
      const float* row = reinterpret_cast<float*>(last.ptr_to_element(acl::Coordinates(0, i)));
      std::copy(row, row + size, &values[i * size]);
    }
    return values;
  }

 private:
  static bool can_clip(const Layer& layer) {
    return layer.kind == Kind::conv || layer.kind == Kind::fc;
  }

  void add(Step& step, bool relu, bool last, acl::Tensor& from) {
    const Layer& layer = *step.layer;
    flat_ = flat_ || layer.kind == Kind::fc;
    if (last && !flat_) throw std::runtime_error(layer.name + ": a network must end in a row");
    step.output.allocator()->init(flat_ ? rows(layer.output.size(), batch_)
                                        : image(layer.output, batch_));
    if (!last) between_.manage(&step.output);
    const acl::ActivationLayerInfo clip(acl::ActivationFunction::RELU);
    const acl::ActivationLayerInfo behind = relu ? clip : acl::ActivationLayerInfo();
    switch (layer.kind) {
      case Kind::conv:
        return convolution(step, behind, from);
      case Kind::fc:
        return fully_connected(step, behind, from);
      case Kind::max_pool:
      case Kind::average_pool: {
        const bool max = layer.kind == Kind::max_pool;
        auto function = std::make_unique<acl::NEPoolingLayer>(workspace_);
        function->configure(
            &from, &step.output,
            acl::PoolingLayerInfo(max ? acl::PoolingType::MAX : acl::PoolingType::AVG,
                                  layer.kernel, layout,
                                  acl::PadStrideInfo(layer.stride, layer.stride)));
        step.function = std::move(function);
        return;
      }
      case Kind::relu: {
        auto function = std::make_unique<acl::NEActivationLayer>();
        function->configure(&from, &step.output, clip);
        step.function = std::move(function);
        return;
      }
      case Kind::softmax: {  // over the first dimension, the channels
        auto function = std::make_unique<acl::NESoftmaxLayer>(workspace_);
        function->configure(&from, &step.output);
        step.function = std::move(function);
        return;
      }
    }
  }

  void convolution(Step& step, const acl::ActivationLayerInfo& behind, acl::Tensor& from) {
    const Layer& layer = *step.layer;
    const acl::PadStrideInfo slide(layer.stride, layer.stride, layer.pad, layer.pad);
    step.weights.allocator()->init(image(kernel(layer), kernels(layer)));
    step.biases.allocator()->init(rows(layer.output.channels, 1));
    if (depthwise(layer)) {
      auto function = std::make_unique<acl::NEDepthwiseConvolutionLayer>(workspace_);
      function->configure(&from, &step.weights, &step.biases, &step.output, slide,
                          layer.output.channels / layer.groups, behind);
      step.function = std::move(function);
    } else if (layer.groups == 1) {
      auto function = std::make_unique<acl::NEConvolutionLayer>(workspace_);
      function->configure(&from, &step.weights, &step.biases, &step.output, slide,
                          acl::WeightsInfo(), acl::Size2D(1, 1), behind);
      step.function = std::move(function);
    } else {
      throw std::runtime_error(layer.name + ": the library has no convolution of " +
                               std::to_string(layer.groups) + " groups for the CPU");
    }
  }

  void fully_connected(Step& step, const acl::ActivationLayerInfo& behind, acl::Tensor& from) {
    const Layer& layer = *step.layer;
    step.weights.allocator()->init(rows(layer.input.size(), layer.output.channels));
    step.biases.allocator()->init(rows(layer.output.channels, 1));
    acl::FullyConnectedLayerInfo info;
    info.weights_trained_layout = acl::DataLayout::NCHW;  // it turns them once, in prepare()
    info.activation_info = behind;
    auto function = std::make_unique<acl::NEFullyConnectedLayer>(workspace_);
    function->configure(&from, &step.weights, &step.biases, &step.output, info);
    step.function = std::move(function);
  }

  static bool depthwise(const Layer& layer) {
    return layer.groups > 1 && layer.groups == layer.input.channels;
  }

  // What a layer's weights are as images: one a channel of output; depthwise, all channels of one.
  static Shape kernel(const Layer& layer) {
    const std::size_t channels =
        depthwise(layer) ? layer.output.channels : layer.input.channels / layer.groups;
    return {channels, layer.kernel, layer.kernel};
  }

  static std::size_t kernels(const Layer& layer) {
    return depthwise(layer) ? 1 : layer.output.channels;
  }

  // Weights and biases, and what the function makes of them. What it has copied it does not need.
  static void fill(Step& step) {
    const Layer& layer = *step.layer;
    if (layer.kind == Kind::conv) {
      step.weights.allocator()->allocate();
      turn(kernel(layer), kernels(layer), layer.weights.data(), step.weights);
    } else if (layer.kind == Kind::fc) {
      borrow(layer.weights.data(), step.weights);
    }
    if (!layer.biases.empty()) borrow(layer.biases.data(), step.biases);
    step.function->prepare();
    for (acl::Tensor* tensor : {&step.weights, &step.biases}) {
      if (!tensor->is_used()) tensor->allocator()->free();
    }
  }

  std::size_t batch_;
  std::shared_ptr<acl::MemoryManagerOnDemand> workspace_;    // inside the functions
  std::shared_ptr<acl::MemoryManagerOnDemand> transitions_;  // between them
  acl::MemoryGroup between_;
  acl::Tensor input_;
  std::deque<Step> steps_;
  bool flat_ = false;  // behind a fully connected layer a value is a row, not an image
};

class AclEngine : public Engine {
 public:
  AclEngine(const std::string& model_dir, int threads) : network_(read_network(model_dir)) {
    acl::Scheduler::get().set_num_threads(threads);
    expect_threads("the scheduler", acl::Scheduler::get().num_threads(), threads);
  }

  void prepare(int batch) override {
    graph_.reset();  // before the next one, so that there never are two
    batch_ = batch;
    graph_.reset(new Graph(network_, batch_));
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, batch_ * network_.input.size());
    turn(network_.input, batch_, data, graph_->input());
  }

  void forward() override { graph_->run(); }

  std::vector<float> output() override { return graph_->output(); }

 private:
  Network network_;  // the graph refers to its weights
  std::size_t batch_ = 0;
  std::unique_ptr<Graph> graph_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new AclEngine(model_dir, threads));
}
