// TVM's engine for the harness, on its runtime (tvm/ffi, apache-tvm-ffi 0.1.15). The network is
// code in this program: TVM's virtual machine calls one function after the other, whose loops are
// shared among the threads of TVM's pool. Channels first, as the harness has them.

#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "net.h"
#include "threads.h"

const char engine_name[] = "tvm";
const char number_format[] = "float32";

namespace {

namespace ffi = tvm::ffi;

constexpr DLDevice CPU{kDLCPU, 0};
constexpr int POOLED = 2;  // AllocatorType of tvm/runtime/memory/memory_manager.h
constexpr int BIG = 1;     // ThreadGroup::AffinityMode, which counts where threads are bound

// What compiled code may take for granted of the memory that it is given.
struct Aligned {
  void AllocData(DLTensor* tensor) {
    if (posix_memalign(&tensor->data, 64, ffi::GetDataSize(*tensor))) throw std::bad_alloc();
  }
  void FreeData(DLTensor* tensor) { std::free(tensor->data); }
};

// Before anything of the network is called: the pool is made by the first loop that is shared. It
// binds its threads to cores by itself, and the harness says where all of them may run; and it uses
// as many of them as there are cores of the fastest kind, unless it is told how many.
void use_threads(int threads) {
  setenv("TVM_NUM_THREADS", std::to_string(threads).c_str(), 1);
  setenv("TVM_BIND_THREADS", "0", 1);
  ffi::Function::GetGlobalRequired("runtime.config_threadpool")(BIG, threads);
  const int used = ffi::Function::GetGlobalRequired("runtime.NumThreads")().cast<int>();
  expect_threads("TVM's pool", used, threads);
  expect_threads("TVM", threads_now(), threads);  // the caller computes too
}

class TvmEngine : public Engine {
 public:
  explicit TvmEngine(int threads) {
    use_threads(threads);
    const auto code = ffi::Function::GetGlobalRequired("ffi.SystemLib")().cast<ffi::Module>();
    machine_ = function(code, "vm_load_executable")().cast<ffi::Module>();
    function(*machine_, "vm_initialization")(int(CPU.device_type), CPU.device_id, POOLED);
    main_ = function(*machine_, "main");
  }

  void prepare(int batch) override {
    std::vector<std::int64_t> shape{batch};
    shape.insert(shape.end(), std::begin(input_shape), std::end(input_shape));
    output_ = ffi::Tensor();  // which another batch's might take the place of
    input_ = ffi::Tensor::FromNDAlloc(Aligned(), ffi::Shape(shape), DLDataType{kDLFloat, 32, 1}, CPU);
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.numel());
    std::copy(data, data + size, static_cast<float*>(input_.data_ptr()));
  }

  void forward() override { output_ = main_(input_).cast<ffi::Tensor>(); }

  std::vector<float> output() override {
    const float* const values = static_cast<const float*>(output_.data_ptr());
    return std::vector<float>(values, values + output_.numel());
  }

  // By the names of the functions that TVM made of one or several of the network's layers.
  bool tell_layers(int passes, LayerLog& log) override {
    const ffi::Function instrument = function(*machine_, "set_instrument");
    instrument(ffi::Function::FromPacked([&log](ffi::PackedArgs arguments, ffi::Any* answer) {
      if (arguments[2].cast<bool>()) {
        log.begin();
      } else {
        log.end(arguments[1].cast<std::string>());
      }
      *answer = 0;  // VMInstrumentReturnKind::kNoOp
    }));
    for (int pass = 0; pass < passes; ++pass) forward();
    instrument(ffi::Function(nullptr));
    return true;
  }

 private:
  static ffi::Function function(const ffi::Module& module, const char* name) {
    const auto found = module->GetFunction(name, true);
    if (!found) throw std::runtime_error(std::string("TVM's module has no ") + name);
    return *found;
  }

  ffi::Optional<ffi::Module> machine_;
  ffi::Function main_;
  ffi::Tensor input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string&, int threads) {
  return std::unique_ptr<Engine>(new TvmEngine(threads));
}
