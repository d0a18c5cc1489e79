// XNNPACK's engine for the harness, on its subgraph API: a network is built once, and a batch only
// changes its shape. Written against google/XNNPACK 4ea82e5 (2024-11-08), include/xnnpack.h.

#include <pthreadpool.h>
#include <xnnpack.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "layers.h"

const char engine_name[] = "xnnpack";
const char number_format[] = "float32";

namespace {

const float none = std::numeric_limits<float>::infinity();  // clips nothing
const std::uint32_t input_id = 0, output_id = 1;             // external values

void check(xnn_status status, const std::string& what) {
  if (status == xnn_status_out_of_memory) throw std::bad_alloc();
  if (status != xnn_status_success) {
    throw std::runtime_error(what + ": xnn_status " + std::to_string(status));
  }
}

// XNNPACK keeps images as height, width, channels: (..., C, H, W) becomes (..., H, W, C).
std::vector<float> channels_last(const std::vector<float>& values, const Shape& shape) {
  std::vector<float> turned(values.size());
  const std::size_t area = shape.height * shape.width;
  for (std::size_t image = 0; image < values.size(); image += shape.size()) {
    for (std::size_t c = 0; c < shape.channels; ++c) {
      for (std::size_t i = 0; i < area; ++i) {
        turned[image + i * shape.channels + c] = values[image + c * area + i];
      }
    }
  }
  return turned;
}

void turn_weights(Network& network) {
  for (Layer& layer : network.layers) {
    if (layer.kind == Kind::conv) {
      const Shape kernel = {layer.input.channels / layer.groups, layer.kernel, layer.kernel};
      layer.weights = channels_last(layer.weights, kernel);
    } else if (layer.kind == Kind::fc) {
      layer.weights = channels_last(layer.weights, layer.input);
    }
  }
}

// Adds a network's layers to a subgraph, one value after the other.
class Builder {
 public:
  Builder(xnn_subgraph_t graph, const Network& network) : graph_(graph) {
    std::uint32_t before = define(network.input, XNN_VALUE_FLAG_EXTERNAL_INPUT, input_id);
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      // A ReLU is the lower bound of what comes before it, as in TensorFlow Lite's delegate.
      const bool relu = i + 1 < network.layers.size() && can_clip(layer) &&
                        network.layers[i + 1].kind == Kind::relu;
      if (relu) ++i;
      flat_ = flat_ || layer.kind == Kind::fc;
      const bool last = i + 1 == network.layers.size();
      const std::uint32_t after =
          last ? define(layer.output, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, output_id)
               : define(layer.output, 0, XNN_INVALID_VALUE_ID);
      check(add(layer, relu ? 0.0f : -none, before, after), layer.name);
      before = after;
    }
  }

 private:
  static bool can_clip(const Layer& layer) {
    return layer.kind == Kind::conv || layer.kind == Kind::fc;
  }

  std::uint32_t define(const Shape& shape, std::uint32_t flags, std::uint32_t external) {
    const std::vector<std::size_t> image = {1, shape.height, shape.width, shape.channels};
    const std::vector<std::size_t> row = {1, shape.channels};
    const std::vector<std::size_t>& sizes = flat_ ? row : image;
    return define(sizes.data(), sizes.size(), nullptr, flags, external);
  }

  std::uint32_t define(const std::vector<std::size_t>& sizes, const std::vector<float>& data) {
    return define(sizes.data(), sizes.size(), data.data(), 0, XNN_INVALID_VALUE_ID);
  }

  std::uint32_t define(const std::size_t* sizes, std::size_t count, const float* data,
                       std::uint32_t flags, std::uint32_t external) {
    std::uint32_t id = 0;
    check(xnn_define_tensor_value(graph_, xnn_datatype_fp32, count, sizes, data, external, flags,
                                  &id),
          "xnn_define_tensor_value");
    return id;
  }

  xnn_status add(const Layer& layer, float lowest, std::uint32_t from, std::uint32_t to) {
    const std::uint32_t kernel = layer.kernel, stride = layer.stride, pad = layer.pad;
    switch (layer.kind) {
      case Kind::conv: {
        const std::size_t inputs = layer.input.channels / layer.groups;
        const std::size_t outputs = layer.output.channels / layer.groups;
        const std::uint32_t weights =
            define({layer.output.channels, layer.kernel, layer.kernel, inputs}, layer.weights);
        const std::uint32_t biases = define({layer.output.channels}, layer.biases);
        return xnn_define_convolution_2d(graph_, pad, pad, pad, pad, kernel, kernel, stride, stride,
                                         1, 1, layer.groups, inputs, outputs, lowest, none, from,
                                         weights, biases, to, 0);
      }
      case Kind::fc: {
        const std::uint32_t weights =
            define({layer.output.channels, layer.input.size()}, layer.weights);
        const std::uint32_t biases = define({layer.output.channels}, layer.biases);
        return xnn_define_fully_connected(graph_, lowest, none, from, weights, biases, to,
                                          XNN_FLAG_TENSORFLOW_RESHAPE_2D);
      }
      case Kind::max_pool:
        return xnn_define_max_pooling_2d(graph_, 0, 0, 0, 0, kernel, kernel, stride, stride, 1, 1,
                                         -none, none, from, to, 0);
      case Kind::average_pool:
        return xnn_define_average_pooling_2d(graph_, 0, 0, 0, 0, kernel, kernel, stride, stride,
                                             -none, none, from, to, 0);
      case Kind::relu: {
        xnn_unary_params bounds;
        bounds.clamp.min = 0;
        bounds.clamp.max = none;
        return xnn_define_unary(graph_, xnn_unary_clamp, &bounds, from, to, 0);
      }
      case Kind::softmax:
        return xnn_define_softmax(graph_, from, to, 0);
    }
    return xnn_status_invalid_parameter;
  }

  xnn_subgraph_t graph_;
  bool flat_ = false;  // behind a fully connected layer a value is a row, not an image
};

class XnnpackEngine : public Engine {
 public:
  XnnpackEngine(const std::string& model_dir, int threads)
      : network_(read_network(model_dir)), pool_(pthreadpool_create(threads)) {
    if (!pool_) throw std::bad_alloc();
    expect_threads("pthreadpool", pthreadpool_get_threads_count(pool_), threads);
    turn_weights(network_);
    check(xnn_initialize(nullptr), "xnn_initialize");
    xnn_subgraph_t graph = nullptr;
    check(xnn_create_subgraph(2, 0, &graph), "xnn_create_subgraph");
    Builder(graph, network_);
    const xnn_status status = xnn_create_runtime_v2(graph, pool_, 0, &runtime_);
    xnn_delete_subgraph(graph);
    check(status, "xnn_create_runtime_v2");
  }

  ~XnnpackEngine() override {
    if (runtime_) xnn_delete_runtime(runtime_);
    pthreadpool_destroy(pool_);
  }

  void prepare(int batch) override {
    const Shape& image = network_.input;
    const std::size_t sizes[] = {std::size_t(batch), image.height, image.width, image.channels};
    input_.assign(batch * image.size() + padding, 0);
    output_.assign(batch * network_.output().size() + padding, 0);
    check(xnn_reshape_external_value(runtime_, input_id, 4, sizes), "xnn_reshape_external_value");
    check(xnn_reshape_runtime(runtime_), "xnn_reshape_runtime");
    const xnn_external_value ends[] = {{input_id, input_.data()}, {output_id, output_.data()}};
    check(xnn_setup_runtime_v2(runtime_, 2, ends), "xnn_setup_runtime_v2");
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.size() - padding);
    const std::vector<float> turned =
        channels_last(std::vector<float>(data, data + size), network_.input);
    std::copy(turned.begin(), turned.end(), input_.begin());
  }

  void forward() override { check(xnn_invoke_runtime(runtime_), "xnn_invoke_runtime"); }

  std::vector<float> output() override {
    return std::vector<float>(output_.begin(), output_.end() - padding);
  }

 private:
  // XNNPACK may read past the end of a buffer by so much.
  static const std::size_t padding = XNN_EXTRA_BYTES / sizeof(float);

  Network network_;  // the runtime refers to its weights
  pthreadpool_t pool_;
  xnn_runtime_t runtime_ = nullptr;
  std::vector<float> input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new XnnpackEngine(model_dir, threads));
}
