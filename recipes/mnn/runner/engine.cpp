// MNN's engine for the harness, on its C++ API (mnn.h), 3.6.1. WINOGRAD comes from the build script:
// whether convolutions may be computed by Winograd's transforms, as they are by default.

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "mnn.h"
#include "threads.h"

const char engine_name[] = "mnn";
#if WINOGRAD
const char number_format[] = "float32-fast";
#else
const char number_format[] = "float32";
#endif

namespace {

using MNN::Interpreter;
using MNN::Tensor;

void check(MNN::ErrorCode code) {
  if (code == MNN::OUT_OF_MEMORY) throw std::bad_alloc();
  if (code) throw std::runtime_error("MNN's error " + std::to_string(code));
}

// One end of the network, the batch first and channels before pixels: MNN's own tensor, whose values
// lie in blocks of channels, and one on memory of ours, from and to which it copies.
class End {
 public:
  // `tensor` has its size.
  void resized(Tensor* tensor) {
    theirs_ = tensor;
    shape_ = tensor->shape();
    std::size_t size = 1;
    for (int length : shape_) size *= length;
    values.assign(size, 0);
    ours_.reset(Tensor::create(shape_, {2, 32, 1}, values.data(), Tensor::CAFFE));
    if (!ours_) throw std::bad_alloc();
  }

  void send() { theirs_->copyFromHostTensor(ours_.get()); }
  void receive() { theirs_->copyToHostTensor(ours_.get()); }

  std::vector<float> values;

 private:
  struct Destroy {
    void operator()(Tensor* tensor) const { Tensor::destroy(tensor); }
  };

  Tensor* theirs_ = nullptr;
  std::vector<int> shape_;
  std::unique_ptr<Tensor, Destroy> ours_;
};

Tensor* only(const std::map<std::string, Tensor*>& ends) {
  if (ends.size() == 1) return ends.begin()->second;
  throw std::runtime_error("the network must have one input and one output");
}

// The network and its one session, which is what is resized and run.
class Network {
 public:
  Network(const std::string& file, int threads, Interpreter::SessionMode mode)
      : net_(Interpreter::createFromFile(file.c_str())) {
    if (!net_) throw std::runtime_error("MNN cannot read " + file + ": its words are on stderr");
    net_->setSessionMode(mode);
    if (!WINOGRAD) net_->setSessionHint(Interpreter::WINOGRAD_MEMORY_LEVEL, 0);
    MNN::ScheduleConfig config;
    config.threads = threads;
    session_ = net_->createSession(config);
    if (!session_) throw std::runtime_error("MNN makes no session: its words are on stderr");
    expect_threads("MNN", told(Interpreter::THREAD_NUMBER), threads);
  }

  void resize(int batch) {
    Tensor* const tensor = only(net_->getSessionInputAll(session_));
    std::vector<int> shape = tensor->shape();
    shape[0] = batch;
    net_->resizeTensor(tensor, shape);
    net_->resizeSession(session_);
    if (told(Interpreter::RESIZE_STATUS)) throw std::bad_alloc();
    input.resized(tensor);
    output.resized(only(net_->getSessionOutputAll(session_)));
  }

  // The input is copied each time: where it lies, MNN keeps other values once it was read.
  void run() {
    input.send();
    check(net_->runSession(session_));
  }

  void run(LayerLog& log) {
    input.send();
    log.begin();
    const auto before = [](const std::vector<Tensor*>&, const MNN::OperatorInfo*) { return true; };
    const auto after = [&log](const std::vector<Tensor*>&, const MNN::OperatorInfo* ran) {
      log.end(ran->name() + " " + ran->type());
      return true;
    };
    check(net_->runSessionWithCallBackInfo(session_, before, after, true));
  }

  End input, output;

 private:
  struct Destroy {
    void operator()(Interpreter* net) const { Interpreter::destroy(net); }
  };

  int told(Interpreter::SessionInfoCode code) {
    int found = -1;
    net_->getSessionInfo(session_, code, &found);
    return found;
  }

  std::unique_ptr<Interpreter, Destroy> net_;
  MNN::Session* session_ = nullptr;  // a part of it
};

class MnnEngine : public Engine {
 public:
  MnnEngine(const std::string& model_dir, int threads)
      : file_(model_dir + "/net.mnn"),
        threads_(threads),
        others_(threads_now()),
        network_(file_, threads, Interpreter::Session_Release) {
    // The one pool of all sessions is there now, and the caller computes too.
    expect_threads("MNN's pool", threads_now() - others_ + 1, threads);
  }

  void prepare(int batch) override {
    batch_ = batch;
    network_.resize(batch);
  }

  void set_input(const float* data, std::size_t size) override {
    expect_values(size, network_.input.values.size());
    network_.input.values.assign(data, data + size);  // the same size: MNN's view stays
  }

  void forward() override { network_.run(); }

  // By a session that may be looked into, which the timed one may not be.
  bool tell_layers(int passes, LayerLog& log) override {
    Network watched(file_, threads_, Interpreter::Session_Debug);
    watched.resize(batch_);
    watched.input.values.assign(network_.input.values.begin(), network_.input.values.end());
    watched.run();  // the first one finds its memory
    for (int pass = 0; pass < passes; ++pass) watched.run(log);
    return true;
  }

  std::vector<float> output() override {
    network_.output.receive();
    return network_.output.values;
  }

 private:
  const std::string file_;
  const int threads_, others_;  // to compute with, and that were there before
  int batch_ = 0;
  Network network_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  return std::unique_ptr<Engine>(new MnnEngine(model_dir, threads));
}
