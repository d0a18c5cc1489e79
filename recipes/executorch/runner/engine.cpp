// ExecuTorch's engine for the harness, on the C++ Module of its wheel (extension/module/module.h,
// 1.5.1). The program is one call of the XNNPACK backend, which registers itself when its library
// is loaded. Channels last, and the memory of both ends is ours.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "threads.h"

const char engine_name[] = "executorch";
const char number_format[] = "float32";

// The wheel has no header of its thread pool: these are the two members that are called.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  std::size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(std::uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace {

namespace et = executorch;
using et::extension::Module;
using et::runtime::Error;
using Sizes = std::vector<et::aten::SizesType>;

void check(Error error, const char* what) {
  if (error == Error::MemoryAllocationFailed) throw std::bad_alloc();
  if (error != Error::Ok) {
    throw std::runtime_error(std::string(what) + ": ExecuTorch's error " +
                             std::to_string(static_cast<int>(error)) + ", and its words on stderr");
  }
}

// Before the program is loaded: XNNPACK's runtime takes the pool as it is then.
void use_threads(int threads) {
  et::extension::threadpool::ThreadPool* const pool = et::extension::threadpool::get_threadpool();
  if (!pool || !pool->_unsafe_reset_threadpool(threads)) {
    throw std::runtime_error("ExecuTorch has no thread pool");
  }
  expect_threads("ExecuTorch's pool", pool->get_thread_count(), threads);
  expect_threads("ExecuTorch", threads_now(), threads);  // the caller computes too
}

// What the program says of an end, whose first size is the largest batch that it takes.
Sizes sizes_of(const et::runtime::Result<et::runtime::TensorInfo>& info) {
  check(info.error(), "what the program says of its ends");
  if (info->scalar_type() != et::aten::ScalarType::Float || info->sizes().empty()) {
    throw std::runtime_error("the network's input and output must be float32, the batch first");
  }
  return Sizes(info->sizes().begin(), info->sizes().end());
}

std::size_t of_one(const Sizes& sizes) {
  std::size_t all = 1;
  for (std::size_t i = 1; i < sizes.size(); ++i) all *= sizes[i];
  return all;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

class ExecuTorchEngine : public Engine {
 public:
  ExecuTorchEngine(const std::string& model_dir, int threads) : module_(model_dir + "/net.pte") {
    use_threads(threads);
    // By itself ExecuTorch computes with half a file, and says nothing.
    check(module_.load(et::runtime::Program::Verification::InternalConsistency), "net.pte");
    check(module_.load_forward(), "net.pte");
    const auto meta = module_.method_meta("forward");
    check(meta.error(), "the method forward");
    if (meta->num_inputs() != 1 || meta->num_outputs() != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    from_ = sizes_of(meta->input_tensor_meta(0));
    to_ = sizes_of(meta->output_tensor_meta(0));
    if (from_.size() != 4) throw std::runtime_error("the input must be batch, height, width, channels");
    // As large as the largest batch's: no page of it is there before it is written.
    result_.reset(static_cast<float*>(std::calloc(to_[0] * of_one(to_), sizeof(float))));
    if (!result_) throw std::bad_alloc();
    check(module_.set_output(et::extension::from_blob(result_.get(), to_)), "the output");
  }

  void prepare(int batch) override {
    if (batch > from_[0]) {
      throw std::runtime_error("the program takes " + std::to_string(from_[0]) +
                               " images at most, not " + std::to_string(batch));
    }
    batch_ = batch;
    values_.assign(batch * of_one(from_), 0);
    Sizes sizes = from_;
    sizes[0] = batch;
    input_ = et::extension::from_blob(values_.data(), sizes);
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, values_.size());
    // Channels first, as the harness has them, to channels last.
    const int channels = from_[3];
    const std::size_t pixels = std::size_t(from_[1]) * from_[2];
    float* to = values_.data();
    for (int image = 0; image < batch_; ++image, data += channels * pixels) {
      for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (int channel = 0; channel < channels; ++channel) *to++ = data[channel * pixels + pixel];
      }
    }
  }

  void forward() override { check(module_.forward(input_).error(), "forward"); }

  std::vector<float> output() override {
    return std::vector<float>(result_.get(), result_.get() + batch_ * of_one(to_));
  }

 private:
  Module module_;
  Sizes from_, to_;
  int batch_ = 0;
  std::vector<float> values_;
  et::extension::TensorPtr input_;
  std::unique_ptr<float, Free> result_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new ExecuTorchEngine(model_dir, threads));
}
