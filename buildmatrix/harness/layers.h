// Reads the model format `raw`: a chain of layers for stacks that have no model format of their own.
//
// net.txt has one line a layer:
//   input CHANNELS HEIGHT WIDTH
//   conv NAME OUTPUTS INPUTS_PER_GROUP KERNEL STRIDE PAD GROUPS
//   relu NAME
//   pool NAME max|average KERNEL STRIDE
//   fc NAME OUTPUTS INPUTS
//   softmax NAME
// net.f32 holds, for each conv and fc in order, its weights and then its biases: little-endian
// float32, conv weights (outputs, inputs of a group, height, width), fc weights (outputs, inputs)
// with inputs flattened channels first.
//
// What does not fit together throws std::runtime_error with the line it is in. C++11.

#ifndef BUILDMATRIX_HARNESS_LAYERS_H_
#define BUILDMATRIX_HARNESS_LAYERS_H_

#include <cstddef>
#include <fstream>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Shape {
  std::size_t channels, height, width;

  std::size_t size() const { return channels * height * width; }
};

enum class Kind { conv, relu, max_pool, average_pool, fc, softmax };

struct Layer {
  Kind kind;
  std::string name;
  Shape input, output;  // of one image
  std::size_t kernel, stride, pad, groups;
  std::vector<float> weights, biases;
};

struct Network {
  Shape input;
  std::vector<Layer> layers;

  const Shape& output() const { return layers.back().output; }
};

namespace layers {

// One line of net.txt, taken word by word.
class Line {
 public:
  Line(const std::string& place, const std::string& text) : place_(place), words_(text) {
    words_.imbue(std::locale::classic());
  }

  std::string word(const char* meaning) {
    std::string value;
    if (!(words_ >> value)) fail(std::string(meaning) + " is missing");
    return value;
  }

  std::size_t number(const char* meaning, std::size_t lowest = 1) {
    const std::string text = word(meaning);
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || text.size() > 9 || std::stoul(text) < lowest) {
      fail(std::string(meaning) + " cannot be '" + text + "'");
    }
    return std::stoul(text);
  }

  void end() {
    std::string rest;
    if (words_ >> rest) fail("'" + rest + "' is too much");
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw std::runtime_error(place_ + ": " + message);
  }

 private:
  std::string place_;
  std::istringstream words_;
};

inline std::size_t slid(const Line& line, std::size_t size, const Layer& layer) {
  const std::size_t padded = size + 2 * layer.pad;
  if (layer.kernel > padded) line.fail(layer.name + ": the kernel is larger than its input");
  return (padded - layer.kernel) / layer.stride + 1;
}

// Everything of a layer but its weights, which only get their numbers here.
inline Layer parse(Line& line, const std::string& type, const Shape& input) {
  Layer layer{Kind::relu, line.word("a name"), input, input, 1, 1, 0, 1, {}, {}};
  if (type == "conv") {
    layer.kind = Kind::conv;
    const std::size_t outputs = line.number("OUTPUTS");
    const std::size_t inputs = line.number("INPUTS_PER_GROUP");
    layer.kernel = line.number("KERNEL");
    layer.stride = line.number("STRIDE");
    layer.pad = line.number("PAD", 0);
    layer.groups = line.number("GROUPS");
    if (inputs * layer.groups != input.channels || outputs % layer.groups) {
      line.fail(layer.name + ": its groups do not fit " + std::to_string(input.channels) +
                " input channels");
    }
    layer.output = {outputs, slid(line, input.height, layer), slid(line, input.width, layer)};
    layer.weights.resize(outputs * inputs * layer.kernel * layer.kernel);
    layer.biases.resize(outputs);
  } else if (type == "pool") {
    const std::string method = line.word("max or average");
    if (method != "max" && method != "average") line.fail("no pooling '" + method + "'");
    layer.kind = method == "max" ? Kind::max_pool : Kind::average_pool;
    layer.kernel = line.number("KERNEL");
    layer.stride = line.number("STRIDE");
    layer.output = {input.channels, slid(line, input.height, layer), slid(line, input.width, layer)};
  } else if (type == "fc") {
    layer.kind = Kind::fc;
    layer.output = {line.number("OUTPUTS"), 1, 1};
    if (line.number("INPUTS") != input.size()) {
      line.fail(layer.name + ": it gets " + std::to_string(input.size()) + " inputs");
    }
    layer.weights.resize(layer.output.channels * input.size());
    layer.biases.resize(layer.output.channels);
  } else if (type == "softmax") {
    layer.kind = Kind::softmax;
  } else if (type != "relu") {
    line.fail("no layer '" + type + "'");
  }
  line.end();
  return layer;
}

inline void fill(std::istream& file, std::vector<float>& values) {
  file.read(reinterpret_cast<char*>(values.data()), std::streamsize(values.size() * sizeof(float)));
}

}  // namespace layers

// The network in a model folder, weights and all.
inline Network read_network(const std::string& folder) {
  const std::string text = folder + "/net.txt", binary = folder + "/net.f32";
  std::ifstream lines(text), weights(binary, std::ios::binary);
  if (!lines) throw std::runtime_error(text + ": cannot be read");
  if (!weights) throw std::runtime_error(binary + ": cannot be read");

  Network network{{0, 0, 0}, {}};
  std::string content;
  for (std::size_t number = 1; std::getline(lines, content); ++number) {
    layers::Line line(text + ":" + std::to_string(number), content);
    const std::string type = line.word("a layer");
    if ((type == "input") != (number == 1)) line.fail("the input is the first line, and only that");
    if (number == 1) {
      network.input = {line.number("CHANNELS"), line.number("HEIGHT"), line.number("WIDTH")};
      line.end();
      continue;
    }
    const bool first = network.layers.empty();
    network.layers.push_back(layers::parse(line, type, first ? network.input : network.output()));
    layers::fill(weights, network.layers.back().weights);
    layers::fill(weights, network.layers.back().biases);
  }
  if (network.layers.empty()) throw std::runtime_error(text + ": no layer");
  if (!weights || weights.peek() != std::ifstream::traits_type::eof()) {
    throw std::runtime_error(binary + ": not as long as the layers of net.txt are");
  }
  return network;
}

#endif  // BUILDMATRIX_HARNESS_LAYERS_H_
