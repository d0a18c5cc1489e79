// What an engine is asked once its passes were timed: what it takes pictures for, and what each of
// its layers takes. C++11.

#ifndef BUILDMATRIX_HARNESS_AFTER_H_
#define BUILDMATRIX_HARNESS_AFTER_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "clock.h"
#include "harness.h"

namespace after {

// Number of the largest value; -1 where one is not a number.
inline int largest(const float* values, std::size_t count) {
  if (std::any_of(values, values + count, [](float value) { return std::isnan(value); })) return -1;
  return int(std::max_element(values, values + count) - values);
}

// The class of each of `pictures`, which are of `size` values, `batch` of them a pass.
inline std::vector<int> classes(Engine& engine, int batch, const std::vector<float>& pictures,
                                std::size_t size) {
  if (pictures.size() % size) throw std::runtime_error("the pictures are not of the input's size");
  std::vector<int> found;
  std::vector<float> images(size * batch);
  for (auto next = pictures.begin(); next != pictures.end();) {
    const std::size_t room = images.size(), left = pictures.end() - next;
    const std::size_t taken = std::min(room, left);
    std::copy(next, next + taken, images.begin());  // behind the last ones lie those before them
    next += taken;
    engine.set_input(images.data(), images.size());
    engine.forward();
    const std::vector<float> output = engine.output();
    const std::size_t values = output.size() / batch;
    for (std::size_t image = 0; image < taken / size; ++image) {
      found.push_back(largest(output.data() + image * values, values));
    }
  }
  return found;
}

// Sums over passes, in the order in which layers are told first.
class Layers : public LayerLog {
 public:
  struct Layer {
    std::string name;
    int64_t ns, instructions;  // -1: not counted
  };

  void begin() override {
    instructions_ = counter_.total();
    start_ = now_ns();
  }

  void end(const std::string& name) override {
    const int64_t ns = now_ns() - start_, total = counter_.total();
    add(name, ns, total < 0 || instructions_ < 0 ? -1 : total - instructions_);
    begin();
  }

  void took(const std::string& name, int64_t ns) override { add(name, ns, -1); }

  const std::vector<Layer>& all() const { return layers_; }

 private:
  void add(const std::string& name, int64_t ns, int64_t instructions) {
    for (Layer& layer : layers_) {
      if (layer.name != name) continue;
      layer.ns += ns;
      layer.instructions = instructions < 0 || layer.instructions < 0
                               ? -1 : layer.instructions + instructions;
      return;
    }
    layers_.push_back({name, ns, instructions});
  }

  const InstructionCounter counter_;
  int64_t start_ = 0, instructions_ = -1;
  std::vector<Layer> layers_;
};

}  // namespace after

#endif  // BUILDMATRIX_HARNESS_AFTER_H_
