// OpenCV's engine for the harness, on the C++ API of its dnn module (opencv2/dnn/dnn.hpp, 4.14.0).
// Its own CPU kernels in float32, whatever the processor has of half precision.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core/utility.hpp>
#include <opencv2/dnn.hpp>

#include "harness.h"
#include "threads.h"

const char engine_name[] = "opencv-dnn";
const char number_format[] = "float32";

namespace {

// What OpenCV throws for an allocation that failed has a number of its own.
template <typename Call>
auto checked(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
    throw;
  }
}

// OpenCV's pool is made at the first loop that is divided, all of it at once; the caller computes too.
void use_threads(int threads) {
  cv::setNumThreads(threads);
  cv::parallel_for_(cv::Range(0, threads), [](const cv::Range&) {}, threads);
  expect_threads("OpenCV", threads_now(), threads);
}

// Channels, height and width of what the network reads. The file leaves the batch open.
std::vector<int> image_sizes(cv::dnn::Net& net) {
  std::vector<cv::dnn::MatShape> in, out;
  net.getLayerShapes(cv::dnn::MatShape(), 0, in, out);
  if (in.size() != 1 || in[0].size() != 4) {
    throw std::runtime_error("the network must have one input of batch, channels, height, width");
  }
  return {in[0][1], in[0][2], in[0][3]};
}

// A layer's name as the ONNX file has it; OpenCV writes something in front.
std::string in_the_file(const std::string& name) {
  const std::string front = "onnx_node!";
  return name.compare(0, front.size(), front) == 0 ? name.substr(front.size()) : name;
}

class OpenCvEngine : public Engine {
 public:
  explicit OpenCvEngine(const std::string& model_dir)
      : net_(checked([&] { return cv::dnn::readNetFromONNX(model_dir + "/net.onnx"); })),
        image_(image_sizes(net_)) {
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  }

  void prepare(int batch) override {
    output_.release();
    checked([&] { input_ = cv::Mat({batch, image_[0], image_[1], image_[2]}, CV_32F); });
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.total());
    std::copy(data, data + size, input_.ptr<float>());
    checked([&] { net_.setInput(input_); });
  }

  // The blob is the network's own; the next pass writes over it.
  void forward() override {
    checked([&] { output_ = net_.forward(); });
  }

  std::vector<float> output() override {
    const float* const values = output_.ptr<float>();
    return std::vector<float>(values, values + output_.total());
  }

  // OpenCV counts in every pass. A layer that became part of another one takes nothing.
  bool tell_layers(int passes, LayerLog& log) override {
    const std::vector<std::string> names = net_.getLayerNames();
    const double ticks = cv::getTickFrequency() / 1e9;
    for (int pass = 0; pass < passes; ++pass) {
      forward();
      std::vector<double> taken;
      net_.getPerfProfile(taken);
      for (std::size_t i = 0; i < std::min(names.size(), taken.size()); ++i) {
        if (taken[i] > 0) log.took(in_the_file(names[i]), std::int64_t(taken[i] / ticks));
      }
    }
    return true;
  }

 private:
  cv::dnn::Net net_;
  const std::vector<int> image_;
  cv::Mat input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  use_threads(threads);
  return std::unique_ptr<Engine>(new OpenCvEngine(model_dir));
}
