// Forward passes of Caffe without the harness: the library's own calls in a loop, counted here.
// It stands in the place of the harness's runner, made with the same flags; what that one counts
// beyond it is what the harness costs. tests/integration/test_overhead.py compares them.
//
//   OPENBLAS_NUM_THREADS=1 runner MODEL_DIR PASSES
//
// Passes are of one image. Prints user-mode instructions of all passes but a first one, and the
// output, as JSON.

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <caffe/caffe.hpp>

// Of this thread, not yet counting.
int open_counter() {
  perf_event_attr attr = {};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_HARDWARE;
  attr.config = PERF_COUNT_HW_INSTRUCTIONS;
  attr.disabled = 1;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  return int(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string model = argv[1];
  const int passes = std::atoi(argv[2]);

  caffe::Net<float> net(model + "/net.prototxt", caffe::TEST);
  net.CopyTrainedLayersFrom(model + "/net.caffemodel");
  caffe::Blob<float>& input = *net.input_blobs()[0];
  std::vector<int> shape = input.shape();
  shape[0] = 1;
  input.Reshape(shape);
  net.Reshape();
  std::ifstream image(model + "/input.f32", std::ios::binary);
  char* pixels = reinterpret_cast<char*>(input.mutable_cpu_data());
  if (!image.read(pixels, input.count() * sizeof(float))) return 4;

  net.Forward();
  const int counter = open_counter();
  ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
  for (int pass = 0; pass < passes; ++pass) net.Forward();
  ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
  uint64_t instructions;
  if (read(counter, &instructions, sizeof instructions) != sizeof instructions) return 4;

  std::printf("{\"instructions\":%llu,\"output\":[", static_cast<unsigned long long>(instructions));
  const caffe::Blob<float>& output = *net.output_blobs()[0];
  for (int i = 0; i < output.count(); ++i) {
    std::printf("%s%.9g", i ? "," : "", output.cpu_data()[i]);
  }
  std::printf("]}\n");
}
