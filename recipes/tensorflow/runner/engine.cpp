// TensorFlow's engine for the harness, on its C++ API: one direct session on a frozen GraphDef.
// The same file compiles against 1.15 and 2.x; what it uses stands in tensorflow/tensorflow,
// tensorflow/core/public/session.h, of both. Compile it with the macros the library was built with
// (IS_SLIM_BUILD, RASPBERRY_PI ...): some of them change TensorFlow's own headers.

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensorflow/core/common_runtime/device.h"
#include "tensorflow/core/common_runtime/device_mgr.h"
#include "tensorflow/core/framework/graph.pb.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/core/errors.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/protobuf/config.pb.h"
#include "tensorflow/core/protobuf/rewriter_config.pb.h"
#include "tensorflow/core/public/session.h"

#include "harness.h"

namespace tf = tensorflow;

const char engine_name[] = "tensorflow";
const char number_format[] = "float32";

namespace {

// The exporter's names; ":0" is an op's first output.
const char input_op[] = "data";
const char output_op[] = "prob";

void check(const tf::Status& status) {
  if (status.ok()) return;
  if (tf::errors::IsResourceExhausted(status)) throw std::bad_alloc();
  throw std::runtime_error(status.ToString());
}

// Scratch memory of a kernel is taken on TensorFlow's own threads, where nobody catches.
[[noreturn]] void on_terminate() {
  std::string message = "TensorFlow ended the program";
  try {
    if (std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    give_up("oom", "out of memory on a thread of TensorFlow's");
  } catch (const std::exception& error) {
    message = error.what();
  } catch (...) {
  }
  give_up("error", message);
}

tf::SessionOptions session_options(int threads) {
  tf::SessionOptions options;
  options.config.set_intra_op_parallelism_threads(threads);
  options.config.set_inter_op_parallelism_threads(1);
  // The remapper writes _FusedConv2D and _FusedMatMul into the graph, which builds for a Pi may have
  // no kernels for (tensorflow/tensorflow issues 24732, 27671; contrib/makefile's tf_op_files.txt
  // lacks matmul_op_fused.cc). The study's TensorFlow had no such pass. Off everywhere, so that
  // every build runs the same kernels.
  options.config.mutable_graph_options()->mutable_rewrite_options()->set_remapping(
      tf::RewriterConfig::OFF);
  return options;
}

tf::GraphDef read_graph(const std::string& path) {
  tf::GraphDef graph;
  check(tf::ReadBinaryProto(tf::Env::Default(), path, &graph));
  return graph;
}

// Height, width and channels of one image, as the Placeholder declares them.
std::vector<tf::int64> image_shape(const tf::GraphDef& graph) {
  for (const tf::NodeDef& node : graph.node()) {
    const auto shape = node.attr().find("shape");
    if (node.name() != input_op || shape == node.attr().end()) continue;
    std::vector<tf::int64> sizes;
    for (const auto& dimension : shape->second.shape().dim()) sizes.push_back(dimension.size());
    const bool known = std::all_of(sizes.begin() + !sizes.empty(), sizes.end(),
                                   [](tf::int64 size) { return size > 0; });
    if (sizes.size() == 4 && known) return {sizes[1], sizes[2], sizes[3]};
  }
  throw std::runtime_error(std::string("the graph has no Placeholder '") + input_op +
                           "' of shape batch, height, width, channels");
}

class TensorFlowEngine : public Engine {
 public:
  TensorFlowEngine(const std::string& model_dir, int threads) {
    const tf::GraphDef graph = read_graph(model_dir + "/graph.pb");
    shape_ = image_shape(graph);
    tf::Session* session = nullptr;
    check(tf::NewSession(session_options(threads), &session));
    session_.reset(session);
    check_threads(threads);
    check(session_->Create(graph));
    // Prunes and optimizes the graph and makes its kernels now: what Run() does in its first pass.
    tf::CallableOptions call;
    call.add_feed(std::string(input_op) + ":0");
    call.add_fetch(std::string(output_op) + ":0");
    check(session_->MakeCallable(call, &call_));
  }

  void prepare(int batch) override {
    input_.clear();
    output_.clear();
    batch_ = batch;
    const tf::TensorShape shape({batch, shape_[0], shape_[1], shape_[2]});
    input_.emplace_back(tf::DT_FLOAT, shape);
    if (!input_[0].IsInitialized()) throw std::bad_alloc();
  }

  // From channels x height x width, an image at a time, to height x width x channels.
  void set_input(const float* data, std::size_t size) override {
    tf::Tensor& tensor = input_.at(0);
    expect_values(size, std::size_t(tensor.NumElements()));
    float* to = tensor.flat<float>().data();
    const tf::int64 pixels = shape_[0] * shape_[1], channels = shape_[2];
    for (int image = 0; image < batch_; ++image, data += pixels * channels) {
      for (tf::int64 pixel = 0; pixel < pixels; ++pixel) {
        for (tf::int64 channel = 0; channel < channels; ++channel) {
          *to++ = data[channel * pixels + pixel];
        }
      }
    }
  }

  // A tensor is a counted reference to its buffer: neither the feed nor the fetch is copied.
  void forward() override { check(session_->RunCallable(call_, input_, &output_, nullptr)); }

  std::vector<float> output() override {
    const auto values = output_.at(0).flat<float>();
    return std::vector<float>(values.data(), values.data() + values.size());
  }

 private:
  // A time with the wrong number of threads beside it would be worse than none.
  void check_threads(int threads) {
    const tf::DeviceMgr* devices = nullptr;
    check(session_->LocalDeviceManager(&devices));
    for (tf::Device* device : devices->ListDevices()) {
      const auto* workers = device->tensorflow_cpu_worker_threads();
      if (!workers || workers->num_threads != threads) {
        throw std::runtime_error("TensorFlow uses " +
                                 std::to_string(workers ? workers->num_threads : 0) +
                                 " thread(s) on " + device->name() + ", not " +
                                 std::to_string(threads));
      }
    }
  }

  std::unique_ptr<tf::Session> session_;
  tf::Session::CallableHandle call_ = 0;
  std::vector<tf::int64> shape_;  // height, width, channels
  int batch_ = 0;
  std::vector<tf::Tensor> input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  std::set_terminate(&on_terminate);
  return std::unique_ptr<Engine>(new TensorFlowEngine(model_dir, threads));
}
