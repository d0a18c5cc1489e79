// ncnn's engine for the harness, on its C++ API (Tencent/ncnn 20261020, src/net.h). NUMBER_FORMAT
// comes from the build script: "float32", "float16" (ncnn as shipped), "bfloat16" or "int8".

#include <algorithm>
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <layer.h>
#include <net.h>

#include "harness.h"
#include "threads.h"

const char engine_name[] = "ncnn";
const char number_format[] = NUMBER_FORMAT;

namespace {

const char input_blob[] = "data";
const char output_blob[] = "prob";

ncnn::Option options(int threads) {
  ncnn::Option opt;
  opt.num_threads = threads;
  opt.lightmode = true;  // blobs are given back as soon as they are used
  if (std::string(number_format) != "float16") {
    // Upstream's defaults keep the weights of fully connected layers in half precision on every
    // CPU with VFPv4 (src/layer/arm/innerproduct_arm.cpp), and blobs too on newer ones.
    opt.use_fp16_packed = opt.use_fp16_storage = opt.use_fp16_arithmetic = false;
    opt.use_bf16_packed = opt.use_bf16_storage = std::string(number_format) == "bfloat16";
  }
  return opt;
}

struct Shape {
  int w = 0, h = 0, c = 0;
};

// From the line of the Input layer: `Input NAME 0 1 data 0=W 1=H 2=C`. The API does not tell it.
Shape input_shape(const std::string& param) {
  std::ifstream file(param.c_str());
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != "Input") continue;
    Shape shape;
    while (words >> word) {
      if (word.compare(0, 2, "0=") == 0) shape.w = std::stoi(word.substr(2));
      if (word.compare(0, 2, "1=") == 0) shape.h = std::stoi(word.substr(2));
      if (word.compare(0, 2, "2=") == 0) shape.c = std::stoi(word.substr(2));
    }
    if (shape.w > 0 && shape.h > 0 && shape.c > 0) return shape;
  }
  throw std::runtime_error(param + " has no Input layer with width, height and channels");
}

// src/net.cpp and the layers answer -100 where an allocation failed.
void check(int status, const std::string& what) {
  if (status == -100) throw std::bad_alloc();
  if (status != 0) throw std::runtime_error(what + ": ncnn answers " + std::to_string(status));
}

class NcnnEngine : public Engine {
 public:
  NcnnEngine(const std::string& model_dir, int threads)
      : shape_(input_shape(model_dir + "/net.param")) {
    net_.opt = options(threads);  // before loading: the weights are laid out by it
    check(net_.load_param((model_dir + "/net.param").c_str()), "net.param");
    check(net_.load_model((model_dir + "/net.bin").c_str()), "net.bin");
  }

  void prepare(int batch) override {
    inputs_.clear();
    outputs_.assign(batch, ncnn::Mat());
    for (int i = 0; i < batch; ++i) {
      ncnn::Mat image(shape_.w, shape_.h, shape_.c);
      if (image.empty()) throw std::bad_alloc();
      inputs_.push_back(image);
    }
  }

  void set_input(const float* data, std::size_t size) override {
    const std::size_t plane = std::size_t(shape_.w) * shape_.h;
    const std::size_t wanted = inputs_.size() * plane * shape_.c;
    expect_values(size, wanted);
    for (ncnn::Mat& image : inputs_) {
      for (int c = 0; c < shape_.c; ++c, data += plane) {
        float* channel = image.channel(c);  // channels are padded to 16 bytes
        std::copy(data, data + plane, channel);
      }
    }
  }

  // ncnn's layers take one image. Since 2026 a Mat may hold several, but src/net.cpp then calls
  // each layer once an image as well, and keeps the blobs of all images: the same arithmetic for
  // more memory. So the batch is a loop, which is what ncnn's users write.
  void forward() override {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      ncnn::Extractor extractor = net_.create_extractor();
      check(extractor.input(input_blob, inputs_[i]), "input blob");
      check(extractor.extract(output_blob, outputs_[i]), "forward pass");
      if (outputs_[i].empty()) throw std::bad_alloc();
    }
  }

  std::vector<float> output() override {
    std::vector<float> values;
    for (const ncnn::Mat& blob : outputs_) {
      const std::size_t plane = std::size_t(blob.w) * blob.h;
      for (int c = 0; c < blob.c; ++c) {
        const float* channel = blob.channel(c);
        values.insert(values.end(), channel, channel + plane);
      }
    }
    return values;
  }

  // Blob by blob: ncnn then computes what leads from the blobs that it has to the next one. It does
  // so without writing over them, so that a layer that works in place has a copy to make.
  bool tell_layers(int passes, LayerLog& log) override {
    for (int pass = 0; pass < passes; ++pass) {
      for (const ncnn::Mat& input : inputs_) {
        ncnn::Extractor extractor = net_.create_extractor();
        extractor.set_light_mode(false);
        check(extractor.input(input_blob, input), "input blob");
        log.begin();
        for (const ncnn::Layer* layer : net_.layers()) {
          if (layer->type == "Input") continue;
          ncnn::Mat blob;
          // As it lies in memory (1): converting it is no part of the layer.
          for (int top : layer->tops) check(extractor.extract(top, blob, 1), layer->name);
          log.end(layer->name);
        }
      }
    }
    return true;
  }

 private:
  const Shape shape_;
  ncnn::Net net_;  // before the blobs: theirs is its allocator, so it goes last
  std::vector<ncnn::Mat> inputs_;
  std::vector<ncnn::Mat> outputs_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  expect_openmp_threads(threads);
  return std::unique_ptr<Engine>(new NcnnEngine(model_dir, threads));
}
