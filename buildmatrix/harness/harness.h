// What a stack implements to be measured: one Engine, one make_engine and two names.
// The harness owns main(), the clock and the output; it knows no stack. C++11.

#ifndef BUILDMATRIX_HARNESS_H_
#define BUILDMATRIX_HARNESS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// What a stack tells of its layers, in the order in which they run. Layers of one name are added up.
class LayerLog {
 public:
  virtual ~LayerLog() {}

  // A layer that is run by itself begins now. It ends with end(), and the next one begins there.
  virtual void begin() = 0;
  virtual void end(const std::string& layer) = 0;

  // A layer of one pass, by the stack's own clock.
  virtual void took(const std::string& layer, std::int64_t ns) = 0;
};

// Any member may throw: std::bad_alloc is reported as "oom", other exceptions as "error".
class Engine {
 public:
  virtual ~Engine() {}

  // Makes shapes and buffers for `batch` images. Called again for each batch size.
  virtual void prepare(int batch) = 0;

  // Copies batch x channels x height x width floats, after prepare(). Throws when `size` is not what
  // the network takes. forward() must leave the input as it is.
  virtual void set_input(const float* data, std::size_t size) = 0;

  // One pass, and all that is timed. Returns when the output is computed: a stack that works
  // lazily or in the background waits here.
  virtual void forward() = 0;

  // The last pass's output, batch x outputs.
  virtual std::vector<float> output() = 0;

  // Runs `passes` passes on the input that is set, and tells what each layer took. False for a
  // stack that cannot tell.
  virtual bool tell_layers(int /*passes*/, LayerLog& /*log*/) { return false; }
};

// For set_input(): throws unless the harness gives as many values as the network takes.
inline void expect_values(std::size_t given, std::size_t taken) {
  if (given == taken) return;
  throw std::runtime_error("the network takes " + std::to_string(taken) + " values, not " +
                           std::to_string(given));
}

// A time with the wrong number of threads beside it would be worse than none. `who` counts them.
inline void expect_threads(const std::string& who, long used, int wanted) {
  if (used == wanted) return;
  throw std::runtime_error(who + " uses " + std::to_string(used) + " thread(s), not " +
                           std::to_string(wanted));
}

// Loads the model from a folder. Throws when the stack cannot use exactly `threads` threads.
std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads);

extern const char engine_name[];
extern const char number_format[];  // what forward() computes with: "float32"

// For a stack that aborts instead of throwing: prints the current batch's line with status "oom"
// or "error", and exits as main() would. Safe on the thread that runs the engine.
[[noreturn]] void give_up(const std::string& status, const std::string& message);

#endif  // BUILDMATRIX_HARNESS_H_
