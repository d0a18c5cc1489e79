// Arm NN's engine for the harness: a TensorFlow Lite model by Arm NN's own parser, on the backend
// CpuAcc, with the settings it has by itself. Written against ARM-software/armnn v23.08,
// include/armnn and include/armnnTfLiteParser. C++17.

#include <arm_compute/runtime/Scheduler.h>
#include <armnn/BackendOptions.hpp>
#include <armnn/INetwork.hpp>
#include <armnn/IRuntime.hpp>
#include <armnnTfLiteParser/ITfLiteParser.hpp>
#include <armnnUtils/Permute.hpp>
#include <schema_generated.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"

const char engine_name[] = "armnn";
const char number_format[] = "float32";

namespace {

using armnnTfLiteParser::BindingPointInfo;

std::vector<std::uint8_t> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Arm NN takes the shapes that are in the file, and has no call to change them: so the batch, the
// first size of everything that is computed, is written there. Constants stay as they are.
void set_batch(std::vector<std::uint8_t>& content, int batch) {
  flatbuffers::Verifier verifier(content.data(), content.size());
  if (!tflite::VerifyModelBuffer(verifier)) throw std::runtime_error("not a TensorFlow Lite model");
  tflite::Model* model = flatbuffers::GetMutableRoot<tflite::Model>(content.data());
  for (const tflite::Tensor* tensor : *model->subgraphs()->Get(0)->tensors()) {
    if (model->buffers()->Get(tensor->buffer())->data()) continue;
    const auto* shape = tensor->shape();
    if (!shape || shape->size() == 0 || shape->Get(0) != 1) {
      throw std::runtime_error(tensor->name()->str() + ": its batch size is not 1");
    }
    const_cast<flatbuffers::Vector<std::int32_t>*>(shape)->Mutate(0, batch);
  }
}

class ArmnnEngine : public Engine {
 public:
  ArmnnEngine(const std::string& model_dir, int threads)
      : model_(read(model_dir + "/net.tflite")),
        threads_(threads),
        runtime_(armnn::IRuntime::Create(armnn::IRuntime::CreationOptions())) {}

  void prepare(int batch) override {
    if (loaded_) runtime_->UnloadNetwork(*std::exchange(loaded_, std::nullopt));
    std::vector<std::uint8_t> content = model_;
    set_batch(content, batch);
    auto parser = armnnTfLiteParser::ITfLiteParser::Create();
    const armnn::INetworkPtr network = parser->CreateNetworkFromBinary(content);
    const auto inputs = parser->GetSubgraphInputTensorNames(0);
    const auto outputs = parser->GetSubgraphOutputTensorNames(0);
    if (inputs.size() != 1 || outputs.size() != 1) {
      throw std::runtime_error("the network must have one input and one output");
    }
    from_ = parser->GetNetworkInputBindingInfo(0, inputs[0]);
    to_ = parser->GetNetworkOutputBindingInfo(0, outputs[0]);
    from_.second.SetConstant();
    load(*network);
    input_.assign(from_.second.GetNumElements(), 0);
    output_.assign(to_.second.GetNumElements(), 0);
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, input_.size());
    // From channels first, as the harness has them: where each dimension of it goes.
    armnnUtils::Permute(from_.second.GetShape(), {0, 3, 1, 2}, data, input_.data(), sizeof(float));
  }

  void forward() override {
    const armnn::Status status = runtime_->EnqueueWorkload(
        *loaded_, {{from_.first, armnn::ConstTensor(from_.second, input_.data())}},
        {{to_.first, armnn::Tensor(to_.second, output_.data())}});
    if (status != armnn::Status::Success) throw std::runtime_error("EnqueueWorkload failed");
  }

  std::vector<float> output() override { return output_; }

 private:
  void load(const armnn::INetwork& network) {
    armnn::OptimizerOptionsOpaque options;
    options.AddModelOption({"CpuAcc", {{"NumberOfThreads", static_cast<unsigned>(threads_)}}});
    std::vector<std::string> said;
    armnn::IOptimizedNetworkPtr optimized =
        armnn::Optimize(network, {armnn::Compute::CpuAcc}, runtime_->GetDeviceSpec(), options,
                        armnn::Optional<std::vector<std::string>&>(said));
    if (!optimized) throw std::runtime_error("Optimize: " + (said.empty() ? "" : said.back()));
    armnn::NetworkId id = 0;
    std::string error;
    if (runtime_->LoadNetwork(id, std::move(optimized), error) != armnn::Status::Success) {
      throw std::runtime_error("LoadNetwork: " + error);
    }
    loaded_ = id;
    expect_threads("the Compute Library", arm_compute::Scheduler::get().num_threads(), threads_);
  }

  std::vector<std::uint8_t> model_;
  int threads_;
  armnn::IRuntimePtr runtime_;
  std::optional<armnn::NetworkId> loaded_;
  BindingPointInfo from_, to_;
  std::vector<float> input_, output_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new ArmnnEngine(model_dir, threads));
}
