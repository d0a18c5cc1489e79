// An Engine of a library's own calls: a batch of N is N calls. Its output is one value for each of
// them, 1 + the largest relative error, so that what the network runners are held to holds here.

#include "bench.h"
#include "harness.h"

#include <algorithm>
#include <cmath>

extern "C" void bench_threads(int threads) __attribute__((weak));

const char engine_name[] = "bench";
const char number_format[] = NUMBER_FORMAT;

namespace {

// As `max_relative_error` of buildmatrix: an expected value below a thousandth of the largest
// counts as that thousandth.
double worst_error() {
  const int count = bench_count();
  if (count < 1) throw std::runtime_error("bench_count() gives no value to be checked");
  double largest = 0, worst = 0;
  for (int i = 0; i < count; ++i) largest = std::max(largest, std::fabs(bench_expected(i)));
  for (int i = 0; i < count; ++i) {
    const double expected = bench_expected(i);
    const double off = std::fabs(bench_result(i) - expected);
    const double error = off == 0 ? 0 : off / std::max(std::fabs(expected), largest / 1000);
    if (std::isnan(error)) return error;
    worst = std::max(worst, error);
  }
  return worst;
}

class Calls : public Engine {
 public:
  void prepare(int batch) override { batch_ = batch; }
  void set_input(const float*, std::size_t) override {}
  void forward() override {
    for (int call = 0; call < batch_; ++call) bench_call();
  }
  std::vector<float> output() override {
    return std::vector<float>(batch_, float(1 + worst_error()));
  }

 private:
  int batch_ = 1;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string&, int threads) {
  if (bench_threads) {
    bench_threads(threads);
  } else if (threads != 1) {
    throw std::runtime_error("it has no bench_threads(): measure it with 1 thread");
  }
  bench_prepare();
  return std::unique_ptr<Engine>(new Calls());
}
