// NNPACK's convolution as an object: weights transformed once, memory given by the caller. Included
// by NNPACK's own runner and by Caffe's layer. Written against Maratyszcza/NNPACK c07e3a0:
// include/nnpack.h, src/convolution-inference.c. C++11.

#ifndef BUILDMATRIX_NNPACK_CONVOLUTION_H_
#define BUILDMATRIX_NNPACK_CONVOLUTION_H_

#include <pthreadpool.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#if defined(NNPACK_CONVOLUTION_ONLY)
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

namespace nnpack {

inline void check(nnp_status status, const std::string& what) {
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

struct Geometry {
  std::string name;  // for messages
  std::size_t inputs, outputs;
  nnp_size image;
  std::size_t kernel, stride, pad;
  bool relu;  // behind the convolution
};

// With the algorithm that NNPACK chooses. It keeps the pointers to weights and biases.
class Convolution {
 public:
  Convolution(const Geometry& geometry, const float* weights, const float* biases,
              pthreadpool_t pool)
      : geometry_(geometry), weights_(weights), biases_(biases), pool_(pool) {
    transform_weights();
  }

  std::size_t workspace() const {
    std::size_t size = 0;
    check(call(strategy(), nullptr, nullptr, nullptr, nullptr, &size), geometry_.name);
    return size;
  }

  void run(const float* image, float* result, const Aligned& workspace) const {
    std::size_t size = workspace.size();
    const void* weights = transformed_ ? transformed_->data() : weights_;
    check(call(strategy(), image, static_cast<const float*>(weights), result, workspace.data(),
               &size),
          geometry_.name);
  }

 private:
  // Not every algorithm has weights to transform: NNPACK's 1x1 convolution refuses.
  void transform_weights() {
    const auto precompute = nnp_convolution_transform_strategy_precompute;
    std::size_t size = 0;
    if (call(precompute, nullptr, nullptr, nullptr, nullptr, &size) != nnp_status_success) return;
    std::unique_ptr<Aligned> memory(new Aligned(size));
    check(call(precompute, nullptr, weights_, nullptr, memory->data(), &size), geometry_.name);
    transformed_ = std::move(memory);
  }

  nnp_convolution_transform_strategy strategy() const {
    return transformed_ ? nnp_convolution_transform_strategy_reuse
                        : nnp_convolution_transform_strategy_compute;
  }

  // Without a workspace it only says how large one must be.
  nnp_status call(nnp_convolution_transform_strategy strategy, const float* image,
                  const float* weights, float* result, void* workspace, std::size_t* size) const {
    const Geometry& g = geometry_;
    const nnp_padding padding = {g.pad, g.pad, g.pad, g.pad};
    const nnp_size kernel = {g.kernel, g.kernel}, stride = {g.stride, g.stride};
    return nnp_convolution_inference(
        nnp_convolution_algorithm_auto, strategy, g.inputs, g.outputs, g.image, padding, kernel,
        stride, image, weights, biases_, result, workspace, size,
        g.relu ? nnp_activation_relu : nnp_activation_identity, nullptr, pool_, nullptr);
  }

  Geometry geometry_;
  const float* weights_;
  const float* biases_;
  pthreadpool_t pool_;
  std::unique_ptr<Aligned> transformed_;
};

}  // namespace nnpack

#endif  // BUILDMATRIX_NNPACK_CONVOLUTION_H_
