// Layers as plain loops, for what a stack has no function of its own for: one image, channels first.
// C++11.

#ifndef BUILDMATRIX_HARNESS_PLAIN_H_
#define BUILDMATRIX_HARNESS_PLAIN_H_

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "layers.h"

namespace plain {

// One channel of a max or average pooling.
inline void pool(const Layer& layer, const float* from, float* to) {
  const std::size_t width = layer.input.width, kernel = layer.kernel;
  const bool max = layer.kind == Kind::max_pool;
  for (std::size_t y = 0; y < layer.output.height; ++y) {
    for (std::size_t x = 0; x < layer.output.width; ++x) {
      const float* window = from + (y * width + x) * layer.stride;
      float value = max ? window[0] : 0;
      for (std::size_t i = 0; i < kernel; ++i) {
        for (std::size_t j = 0; j < kernel; ++j) {
          const float next = window[i * width + j];
          value = max ? std::max(value, next) : value + next;
        }
      }
      *to++ = max ? value : value / float(kernel * kernel);
    }
  }
}

inline void relu(std::size_t size, const float* from, float* to) {
  for (std::size_t i = 0; i < size; ++i) to[i] = std::max(from[i], 0.0f);
}

// Over the channels, for each place of the image.
inline void softmax(const Shape& shape, const float* from, float* to) {
  const std::size_t area = shape.height * shape.width, size = shape.size();
  for (std::size_t place = 0; place < area; ++place) {
    float largest = from[place], sum = 0;
    for (std::size_t i = place; i < size; i += area) largest = std::max(largest, from[i]);
    for (std::size_t i = place; i < size; i += area) sum += to[i] = std::exp(from[i] - largest);
    for (std::size_t i = place; i < size; i += area) to[i] /= sum;
  }
}

}  // namespace plain

#endif  // BUILDMATRIX_HARNESS_PLAIN_H_
