// What the engine calls of MNN 3.6.1's C++ API. The wheel has the library and no header, so this
// declares, in our own words, members that its extension module exports (include/MNN/Interpreter.hpp
// and Tensor.hpp of MNN's repository are where they are described). They are of 3.6.1 and no other,
// which the recipe pins by its hash: no linker finds a size that is wrong. The wheel is made with
// libstdc++'s first strings (_GLIBCXX_USE_CXX11_ABI=0), so whoever includes this must be too.

#ifndef BUILDMATRIX_RECIPES_MNN_H_
#define BUILDMATRIX_RECIPES_MNN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#if _GLIBCXX_USE_CXX11_ABI
#error "compile with -D_GLIBCXX_USE_CXX11_ABI=0, as the wheel is"
#endif

struct halide_type_t {  // of one value; float32 is {2, 32, 1}
  int code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

namespace MNN {

class Session;

enum ErrorCode { NO_ERROR = 0, OUT_OF_MEMORY = 1 };

class Tensor {
 public:
  enum DimensionType { TENSORFLOW, CAFFE, CAFFE_C4 };  // CAFFE: channels first

  // On memory of the caller's.
  static Tensor* create(const std::vector<int>& shape, halide_type_t, void* data, DimensionType);
  static void destroy(Tensor*);
  std::vector<int> shape() const;
  bool copyFromHostTensor(const Tensor*);
  bool copyToHostTensor(Tensor*) const;
};

class OperatorInfo {
 public:
  const std::string& name() const;
  const std::string& type() const;
};

struct ScheduleConfig {
  std::vector<std::string> saved;
  int type = 0;  // of the backend: the CPU
  int threads = 4;
  struct {
    std::vector<std::string> inputs, outputs;
    int mode = 0;
  } path;  // a part of the network; empty: all of it
  int spare_type = 0;
  void* backend = nullptr;  // null: precision as MNN has it by itself, float32
};

class Interpreter {
 public:
  enum SessionMode { Session_Debug = 0, Session_Release = 1 };  // with callbacks, or without
  enum HintMode { WINOGRAD_MEMORY_LEVEL = 3 };
  enum SessionInfoCode { RESIZE_STATUS = 3, THREAD_NUMBER = 4 };
  using Callback = std::function<bool(const std::vector<Tensor*>&, const OperatorInfo*)>;

  static Interpreter* createFromFile(const char* file);
  static void destroy(Interpreter*);
  void setSessionMode(SessionMode);
  void setSessionHint(HintMode, int value);
  Session* createSession(const ScheduleConfig&);
  void resizeTensor(Tensor*, const std::vector<int>& shape);
  void resizeSession(Session*);
  ErrorCode runSession(Session*) const;
  ErrorCode runSessionWithCallBackInfo(const Session*, const Callback& before,
                                       const Callback& after, bool wait) const;
  bool getSessionInfo(const Session*, SessionInfoCode, void* found);
  const std::map<std::string, Tensor*>& getSessionInputAll(const Session*) const;
  const std::map<std::string, Tensor*>& getSessionOutputAll(const Session*) const;
};

}  // namespace MNN

#endif  // BUILDMATRIX_RECIPES_MNN_H_
