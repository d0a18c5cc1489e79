// Caffe's layer `Convolution` on NNPACK, for the runner: use_nnpack() puts it in the place of Caffe's
// own before a net is made, so models stay as they are. A convolution that NNPACK has no function for
// (dilation, oblong kernels) is refused: a figure is NNPACK's, or there is none. Written against
// BVLC/caffe 99bd997 (include/caffe/layer_factory.hpp, layers/base_conv_layer.hpp), NNPACK c07e3a0.

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <caffe/layer_factory.hpp>
#include <caffe/layers/conv_layer.hpp>
#include <nnpack/convolution.h>

namespace {

pthreadpool_t pool = nullptr;

class NnpackConvolution : public caffe::ConvolutionLayer<float> {
 public:
  typedef std::vector<caffe::Blob<float>*> Blobs;

  explicit NnpackConvolution(const caffe::LayerParameter& parameters)
      : caffe::ConvolutionLayer<float>(parameters) {}

  // Also called by Net::Reshape(), behind the loading of the weights that it transforms.
  void Reshape(const Blobs& bottom, const Blobs& top) override {
    caffe::ConvolutionLayer<float>::Reshape(bottom, top);
    if (!fits()) {
      throw std::runtime_error(layer_param_.name() + ": NNPACK has no such convolution");
    }
    groups_.clear();
    const int outputs = num_output_ / group_;
    const nnpack::Geometry geometry = {
        layer_param_.name(),
        std::size_t(channels_ / group_),
        std::size_t(outputs),
        {std::size_t(conv_input_shape_.cpu_data()[2]), std::size_t(conv_input_shape_.cpu_data()[1])},
        std::size_t(kernel_shape_.cpu_data()[0]),
        std::size_t(stride_.cpu_data()[0]),
        std::size_t(pad_.cpu_data()[0]),
        false};
    zeros_.assign(bias_term_ ? 0 : num_output_, 0);
    const float* biases = bias_term_ ? blobs_[1]->cpu_data() : zeros_.data();
    for (int group = 0; group < group_; ++group) {
      groups_.emplace_back(geometry, blobs_[0]->cpu_data() + group * weight_offset_,
                           biases + group * outputs, pool);
    }
    workspace_.reset(new nnpack::Aligned(groups_[0].workspace()));
  }

 protected:
  void Forward_cpu(const Blobs& bottom, const Blobs& top) override {
    for (std::size_t i = 0; i < bottom.size(); ++i) {
      const float* from = bottom[i]->cpu_data();
      float* to = top[i]->mutable_cpu_data();
      for (int n = 0; n < num_; ++n) {
        for (int group = 0; group < group_; ++group) {
          groups_[group].run(from + n * bottom_dim_ + group * (bottom_dim_ / group_),
                             to + n * top_dim_ + group * (top_dim_ / group_), *workspace_);
        }
      }
    }
  }

 private:
  // A square kernel, stride and pad without dilation; NNPACK wants less padding than kernel.
  bool fits() const {
    const int *kernel = kernel_shape_.cpu_data(), *stride = stride_.cpu_data();
    const int *pad = pad_.cpu_data(), *dilation = dilation_.cpu_data();
    return num_spatial_axes_ == 2 && kernel[0] == kernel[1] && stride[0] == stride[1] &&
           pad[0] == pad[1] && dilation[0] == 1 && dilation[1] == 1 && pad[0] < kernel[0];
  }

  std::vector<nnpack::Convolution> groups_;
  std::unique_ptr<nnpack::Aligned> workspace_;
  std::vector<float> zeros_;
};

caffe::shared_ptr<caffe::Layer<float>> make(const caffe::LayerParameter& parameters) {
  return caffe::shared_ptr<caffe::Layer<float>>(new NnpackConvolution(parameters));
}

}  // namespace

// Once, before any net. Throws when NNPACK does not know the processor, or cannot have the threads.
void use_nnpack(int threads) {
  nnpack::check(nnp_initialize(), "nnp_initialize");
  pool = pthreadpool_create(threads);
  if (!pool) throw std::bad_alloc();
  const std::size_t used = pthreadpool_get_threads_count(pool);
  if (used != std::size_t(threads)) {
    throw std::runtime_error("pthreadpool uses " + std::to_string(used) + " thread(s), not " +
                             std::to_string(threads));
  }
  caffe::LayerRegistry<float>::Registry()["Convolution"] = make;
}
