// Caffe's engine as it is (caffe_engine.cpp is a link to recipe caffe's), with NNPACK in the place of
// Caffe's convolution before the network is made.

#include "harness.h"

void use_nnpack(int threads);  // nnpack_layer.cpp

#define make_engine make_caffe_engine
#include "caffe_engine.cpp"
#undef make_engine

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  use_nnpack(threads);
  return make_caffe_engine(model_dir, threads);
}
