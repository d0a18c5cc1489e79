// OpenVINO's engine for the harness, on its C API (openvino/c/openvino.h, 2026.4.1). A model is
// compiled for each batch, as OpenVINO's own documentation tells to: shapes that are known.

#include <openvino/c/openvino.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"

const char engine_name[] = "openvino";
const char number_format[] = NUMBER_FORMAT;

namespace {

void check(ov_status_e status) {
  if (status == OK) return;
  const char* const words = ov_get_last_err_msg();
  const std::string message = words && *words ? words : ov_get_error_info(status);
  if (message.find("bad_alloc") != std::string::npos) throw std::bad_alloc();
  throw std::runtime_error(message);
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// Makes an object through the C API's last argument, and sees to it that it is released.
template <typename T, typename... Arguments, typename... Given>
Owned<T> make(void (*release)(T*), ov_status_e (*create)(Arguments...), Given... given) {
  T* made = nullptr;
  check(create(given..., &made));
  return {made, release};
}

// One end of a network: its sizes, the batch first, and the values where OpenVINO reads and writes.
struct End {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
  Owned<ov_tensor_t> tensor{nullptr, ov_tensor_free};

  void resize(int batch) {
    tensor.reset();
    shape[0] = batch;
    std::size_t size = 1;
    for (std::int64_t length : shape) size *= length;
    values.assign(size, 0);
    ov_shape_t sizes{};
    check(ov_shape_create(shape.size(), shape.data(), &sizes));
    ov_tensor_t* made = nullptr;
    const ov_status_e status = ov_tensor_create_from_host_ptr(F32, sizes, values.data(), &made);
    ov_shape_free(&sizes);
    check(status);
    tensor.reset(made);
  }
};

// Sizes of a port; a batch that the file leaves open counts as 1.
std::vector<std::int64_t> sizes_of(const ov_output_const_port_t* port) {
  ov_element_type_e type{};
  check(ov_port_get_element_type(port, &type));
  ov_partial_shape_t partial{};
  check(ov_port_get_partial_shape(port, &partial));
  std::vector<std::int64_t> shape;
  bool known = type == F32 && partial.rank.min == partial.rank.max && partial.rank.max > 0;
  for (std::int64_t i = 0; known && i < partial.rank.max; ++i) {
    const ov_dimension_t& length = partial.dims[i];
    known = i == 0 || length.min == length.max;
    shape.push_back(i == 0 ? 1 : length.min);
  }
  ov_partial_shape_free(&partial);
  if (!known) throw std::runtime_error("only the batch may be open, and both ends must be float32");
  return shape;
}

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine(const std::string& model_dir, int threads)
      : threads_(threads),
        core_(make<ov_core_t>(ov_core_free, ov_core_create)),
        model_(make<ov_model_t>(ov_model_free, ov_core_read_model,
                                static_cast<const ov_core_t*>(core_.get()),
                                (model_dir + "/net.onnx").c_str(),
                                static_cast<const char*>(nullptr))) {
    std::size_t inputs = 0, outputs = 0;
    check(ov_model_inputs_size(model_.get(), &inputs));
    check(ov_model_outputs_size(model_.get(), &outputs));
    if (inputs != 1 || outputs != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    const ov_model_t* const model = model_.get();
    using Port = ov_output_const_port_t;
    input_.shape = sizes_of(make<Port>(ov_output_const_port_free, ov_model_const_input, model).get());
    output_.shape =
        sizes_of(make<Port>(ov_output_const_port_free, ov_model_const_output, model).get());
  }

  void prepare(int batch) override {
    input_.resize(batch);
    output_.resize(batch);
    ov_partial_shape_t shape{};
    check(ov_partial_shape_create_static(input_.shape.size(), input_.shape.data(), &shape));
    const ov_status_e status = ov_model_reshape_single_input(model_.get(), shape);
    ov_partial_shape_free(&shape);
    check(status);
    request_.reset();
    compiled_.reset();
    compiled_ = compile("NO");
    request_ = request(compiled_.get());
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.values.size());
    input_.values.assign(data, data + size);  // the same size: the tensor still lies there
  }

  void forward() override { check(ov_infer_request_infer(request_.get())); }

  // By a model compiled once more: the other one, which was timed, counts nothing.
  bool tell_layers(int passes, LayerLog& log) override {
    const auto compiled = compile("YES");
    const auto asked = request(compiled.get());
    check(ov_infer_request_infer(asked.get()));  // the first one finds its memory
    for (int pass = 0; pass < passes; ++pass) {
      check(ov_infer_request_infer(asked.get()));
      ov_profiling_info_list_t list{};
      check(ov_infer_request_get_profiling_info(asked.get(), &list));
      for (std::size_t i = 0; i < list.size; ++i) {
        const ov_profiling_info_t& one = list.profiling_infos[i];
        if (one.status != ov_profiling_info_t::EXECUTED) continue;
        log.took(std::string(one.node_name) + " " + one.exec_type, one.real_time * 1000);
      }
      ov_profiling_info_list_free(&list);
    }
    return true;
  }

  std::vector<float> output() override { return output_.values; }

 private:
  // All in float32: a processor with half precision would be used for that by itself. One stream,
  // and no thread is bound to a core: the harness says where all of them may run.
  Owned<ov_compiled_model_t> compile(const char* profiled) {
    ov_compiled_model_t* made = nullptr;
    const std::string threads = std::to_string(threads_);
    check(ov_core_compile_model(core_.get(), model_.get(), "CPU", 10, &made,
                                "INFERENCE_NUM_THREADS", threads.c_str(), "NUM_STREAMS", "1",
                                "INFERENCE_PRECISION_HINT", "f32", "ENABLE_CPU_PINNING", "NO",
                                "PERF_COUNT", profiled));
    Owned<ov_compiled_model_t> compiled(made, ov_compiled_model_free);
    // Counting tells nothing: a model is compiled by a thread for each core, and they stay, asleep.
    char* said = nullptr;
    check(ov_compiled_model_get_property(made, "INFERENCE_NUM_THREADS", &said));
    const int used = std::atoi(said);
    ov_free(said);
    expect_threads("OpenVINO", used, threads_);
    return compiled;
  }

  Owned<ov_infer_request_t> request(const ov_compiled_model_t* compiled) {
    auto made = make<ov_infer_request_t>(ov_infer_request_free,
                                         ov_compiled_model_create_infer_request, compiled);
    check(ov_infer_request_set_input_tensor(made.get(), input_.tensor.get()));
    check(ov_infer_request_set_output_tensor(made.get(), output_.tensor.get()));
    return made;
  }

  const int threads_;
  const Owned<ov_core_t> core_;
  const Owned<ov_model_t> model_;
  End input_, output_;
  Owned<ov_compiled_model_t> compiled_{nullptr, ov_compiled_model_free};
  Owned<ov_infer_request_t> request_{nullptr, ov_infer_request_free};
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new OpenVinoEngine(model_dir, threads));
}
