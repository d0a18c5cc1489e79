// ggml's engine for the harness, on its backend API (include/ggml.h, ggml-alloc.h, ggml-backend.h,
// ggml-cpu.h, 0.15.3). All in float32. ggml names sizes from the innermost: an image is width,
// height, channels, batch. DIRECT comes from the build script: which of its convolutions is asked.

#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include "harness.h"
#include "layers.h"
#include "threads.h"

const char engine_name[] = "ggml";
const char number_format[] = "float32";

namespace {

using Tensor = ggml_tensor*;

template <typename T, void (*release)(T*)>
struct Release {
  void operator()(T* object) const { release(object); }
};
using Backend = std::unique_ptr<ggml_backend, Release<ggml_backend, ggml_backend_free>>;
using Buffer =
    std::unique_ptr<ggml_backend_buffer, Release<ggml_backend_buffer, ggml_backend_buffer_free>>;
using Context = std::unique_ptr<ggml_context, Release<ggml_context, ggml_free>>;
using Allocator = std::unique_ptr<ggml_gallocr, Release<ggml_gallocr, ggml_gallocr_free>>;

// Where ggml has no memory it answers with null.
template <typename T>
T* found(T* object) {
  if (!object) throw std::bad_alloc();
  return object;
}

// For the names and sizes of so many tensors, and what else takes so many bytes; what is in the
// tensors lies in a backend's buffer.
Context context_of(std::size_t tensors, std::size_t more = 0) {
  return Context(found(ggml_init({tensors * ggml_tensor_overhead() + more, nullptr, true})));
}

struct Learnt {
  Tensor weights, biases;  // null for a layer that has none
};

// The weights of all layers, in memory of their own that every graph reads.
class Weights {
 public:
  Weights(const Network& network, ggml_backend_t backend)
      : context_(context_of(2 * network.layers.size())) {
    for (const Layer& layer : network.layers) of_.push_back(named(layer));
    buffer_.reset(found(ggml_backend_alloc_ctx_tensors(context_.get(), backend)));
    for (std::size_t i = 0; i < of_.size(); ++i) {
      if (!of_[i].weights) continue;
      set(of_[i].weights, network.layers[i].weights);
      set(of_[i].biases, network.layers[i].biases);
    }
  }

  const Learnt& operator[](std::size_t layer) const { return of_[layer]; }

 private:
  Learnt named(const Layer& layer) {
    ggml_context* const all = context_.get();
    const std::int64_t kernel = layer.kernel, outputs = layer.output.channels;
    if (layer.kind == Kind::conv) {
      const std::int64_t inputs = layer.input.channels / layer.groups;
      return {ggml_new_tensor_4d(all, GGML_TYPE_F32, kernel, kernel, inputs, outputs),
              ggml_new_tensor_4d(all, GGML_TYPE_F32, 1, 1, outputs, 1)};
    }
    if (layer.kind == Kind::fc) {
      return {ggml_new_tensor_2d(all, GGML_TYPE_F32, layer.input.size(), outputs),
              ggml_new_tensor_1d(all, GGML_TYPE_F32, outputs)};
    }
    return {nullptr, nullptr};
  }

  static void set(Tensor tensor, const std::vector<float>& values) {
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
  }

  Context context_;
  Buffer buffer_;
  std::vector<Learnt> of_;
};

// A network's layers as ggml's operators, one value after the other: images of four sizes, which
// behind a fully connected layer are one place of many channels.
class Builder {
 public:
  explicit Builder(ggml_context* graph) : graph_(graph) {}

  Tensor add(const Layer& layer, const Learnt& learnt, Tensor value) const {
    const int kernel = layer.kernel, stride = layer.stride;
    switch (layer.kind) {
      case Kind::conv:
        return ggml_add(graph_, convolution(layer, learnt.weights, value), learnt.biases);
      case Kind::fc:
        return connected(learnt, value);
      case Kind::max_pool:
      case Kind::average_pool:
        return ggml_pool_2d(graph_, value,
                            layer.kind == Kind::max_pool ? GGML_OP_POOL_MAX : GGML_OP_POOL_AVG,
                            kernel, kernel, stride, stride, 0, 0);
      case Kind::relu:
        return ggml_relu(graph_, value);
      case Kind::softmax:
        return softmax(value);
    }
    throw std::runtime_error(layer.name + ": no such layer");
  }

 private:
  // ggml knows no groups, but for depthwise ones. Those by the direct function: ggml_conv_2d_dw
  // computes in half precision whatever the weights are.
  Tensor convolution(const Layer& layer, Tensor weights, Tensor image) const {
    const int stride = layer.stride, pad = layer.pad;
    if (layer.groups == 1) return convolved(layer, weights, image);
    if (layer.groups == layer.input.channels && layer.groups == layer.output.channels) {
      return ggml_conv_2d_dw_direct(graph_, weights, image, stride, stride, pad, pad, 1, 1);
    }
    Tensor groups = nullptr;
    for (std::size_t group = 0; group < layer.groups; ++group) {
      Tensor const read = part(image, 2, layer.groups, group);
      Tensor const made = convolved(layer, part(weights, 3, layer.groups, group), read);
      groups = groups ? ggml_concat(graph_, groups, made, 2) : made;
    }
    return groups;
  }

  Tensor convolved(const Layer& layer, Tensor weights, Tensor image) const {
    const int stride = layer.stride, pad = layer.pad;
    return (DIRECT ? ggml_conv_2d_direct : ggml_conv_2d)(graph_, weights, image, stride, stride, pad,
                                                         pad, 1, 1);
  }

  // One of `parts` equal ones along a size, in memory of its own.
  Tensor part(Tensor whole, int along, std::size_t parts, std::size_t which) const {
    std::int64_t size[4] = {whole->ne[0], whole->ne[1], whole->ne[2], whole->ne[3]};
    size[along] /= std::int64_t(parts);
    return ggml_cont(graph_, ggml_view_4d(graph_, whole, size[0], size[1], size[2], size[3],
                                          whole->nb[1], whole->nb[2], whole->nb[3],
                                          which * size[along] * whole->nb[along]));
  }

  Tensor connected(const Learnt& learnt, Tensor value) const {
    const std::int64_t batch = value->ne[3];
    Tensor const rows = ggml_reshape_2d(graph_, value, ggml_nelements(value) / batch, batch);
    Tensor const made =
        ggml_add(graph_, ggml_mul_mat(graph_, learnt.weights, rows), learnt.biases);
    return ggml_reshape_4d(graph_, made, 1, 1, made->ne[0], batch);
  }

  // Over the channels of each place; ggml's is over the innermost size.
  Tensor softmax(Tensor value) const {
    Tensor const inner = ggml_cont(graph_, ggml_permute(graph_, value, 1, 2, 0, 3));
    Tensor const made = ggml_soft_max(graph_, inner);
    return ggml_cont(graph_, ggml_permute(graph_, made, 2, 0, 1, 3));
  }

  ggml_context* graph_;
};

// What a layer adds to a graph, at most.
std::size_t operators(const Layer& layer) { return 8 + 16 * layer.groups; }

class GgmlEngine : public Engine {
 public:
  GgmlEngine(const std::string& model_dir, int threads)
      : network_(read_network(model_dir)),
        backend_(found(ggml_backend_cpu_init())),
        weights_(network_, backend_.get()) {
    expect_openmp_threads(threads);  // ggml takes what OpenMP gives, without a word
    ggml_backend_cpu_set_n_threads(backend_.get(), threads);
    for (const Layer& layer : network_.layers) nodes_ += operators(layer);
  }

  void prepare(int batch) override {
    allocator_.reset();
    graph_context_.reset();
    input_buffer_.reset();
    input_context_ = context_of(1);
    const Shape& image = network_.input;
    input_ = ggml_new_tensor_4d(input_context_.get(), GGML_TYPE_F32, image.width, image.height,
                                image.channels, batch);
    input_buffer_.reset(
        found(ggml_backend_alloc_ctx_tensors(input_context_.get(), backend_.get())));

    graph_context_ = context_of(nodes_, ggml_graph_overhead_custom(nodes_, false));
    const Builder builder(graph_context_.get());
    output_ = input_;
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      output_ = builder.add(network_.layers[i], weights_[i], output_);
    }
    ggml_set_output(output_);
    graph_ = ggml_new_graph_custom(graph_context_.get(), nodes_, false);
    ggml_build_forward_expand(graph_, output_);
    allocator_.reset(found(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_.get()))));
    if (!ggml_gallocr_alloc_graph(allocator_.get(), graph_)) throw std::bad_alloc();
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, ggml_nelements(input_));
    ggml_backend_tensor_set(input_, data, 0, size * sizeof(float));
  }

  void forward() override {
    const ggml_status status = ggml_backend_graph_compute(backend_.get(), graph_);
    if (status == GGML_STATUS_ALLOC_FAILED) throw std::bad_alloc();
    if (status != GGML_STATUS_SUCCESS) throw std::runtime_error(ggml_status_to_string(status));
  }

  std::vector<float> output() override {
    std::vector<float> values(ggml_nelements(output_));
    ggml_backend_tensor_get(output_, values.data(), 0, values.size() * sizeof(float));
    return values;
  }

 private:
  const Network network_;
  const Backend backend_;
  const Weights weights_;
  std::size_t nodes_ = 0;
  Context input_context_, graph_context_;
  Buffer input_buffer_;
  Allocator allocator_;
  ggml_cgraph* graph_ = nullptr;
  Tensor input_ = nullptr, output_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new GgmlEngine(model_dir, threads));
}
