// Measures forward passes of one stack: the same program, clock and output for all of them.
//
//   runner --model DIR [--batch 1,2,4] [--passes 100] [--warmup 5] [--threads 1] [--cores 0-3,5]
//          [--pictures FILE] [--layers]
//
// After the timed passes it tells the class of each picture of FILE (float32 values, as those of
// DIR/input.f32), and with --layers what each layer takes.
//
// Prints one JSON line per batch size on stdout, and stops after the first that is not "ok".
// Exit status: 0 ok, 2 usage, 3 out of memory, 4 error; 128 + N and no line for the batch it was at
// when signal N ends it. SIGKILL is how the kernel's out-of-memory killer ends it: that is status 3
// and a line, from the supervisor.

#include "harness.h"

#include "after.h"
#include "clock.h"
#include "cores.h"
#include "supervisor.h"

#include <getopt.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <locale>
#include <new>
#include <sstream>
#include <stdexcept>

namespace {

struct Options {
  std::string model;
  std::vector<int> batches = {1};
  int passes = 100;
  int warmup = 5;
  int threads = 1;
  const char* cores = nullptr;  // none: where the system lets it
  std::string pictures;         // a file; empty: none
  bool layers = false;
};

struct Report {
  int batch = 0;
  std::string status = "error";  // until all went well
  std::string message;
  int64_t first_pass_ns = -1;       // -1: there was none
  std::vector<int64_t> samples_ns;  // one per timed pass, whole batch
  int64_t instructions = -1;        // user mode, all timed passes, all threads; -1: not counted
  long page_faults_major = 0;       // during the timed passes
  std::vector<int64_t> probe_ns;    // before the timed passes, after them
  std::vector<float> output;        // of image 0
  float batch_max_abs_diff = 0;     // of any image of the batch against image 0
  bool repeat_identical = false;    // first and last pass agree in every bit
  long peak_rss_kib = -1;           // after the timed passes; -1: there were none
  std::vector<int> classes;         // of the pictures
  std::vector<after::Layers::Layer> layers;  // over as many passes as are timed
  std::string layers_message;       // why there are none
  int64_t after_ns = 0;             // what all that came after the timed passes took
};

Options options;
Report report;        // of the batch being measured; give_up() must find it
FILE* out = nullptr;  // the real stdout; descriptor 1 is turned to stderr

// User and system time so far, from loading the runner on, over all batches and threads, also those
// that have ended: what the board was busy with beyond it was somebody else's.
int64_t cpu_ns() {
  int64_t us = 0;
  for (const rusage& usage : {supervisor::loading, supervisor::used()}) {
    for (const timeval& t : {usage.ru_utime, usage.ru_stime}) {
      us += int64_t(t.tv_sec) * 1000000 + t.tv_usec;
    }
  }
  return us * 1000;
}

// Tells the processor's real clock: CPU time of 3 million steps, each of which waits for the one
// before (xorshift, Marsaglia 2003), so some 3 ms at 1 GHz. It uses the thread's own clock, because
// a turn that somebody else takes makes the processor no slower.
int64_t probe() {
  static volatile uint32_t state = 2463534242;  // or the compiler would leave the steps out
  const int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
  uint32_t x = state;
  for (int i = 0; i < 500000; ++i) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  state = x;
  return now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += char(c);
    } else {
      result += c >= 0x20 && c < 0x7f ? char(c) : c == '\n' ? ' ' : '?';
    }
  }
  return result + '"';
}

template <typename T>
std::string joined(const std::vector<T>& values) {
  std::ostringstream text;
  text.imbue(std::locale::classic());  // a stack may have set another one
  text.precision(9);                   // enough to read the same float32 back
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i) text << ',';
    if (std::isfinite(double(values[i]))) {
      text << values[i];
    } else {
      text << "null";  // JSON has no NaN
    }
  }
  return '[' + text.str() + ']';
}

std::string or_null(int64_t count) { return count < 0 ? "null" : std::to_string(count); }

// [["conv1",NANOSECONDS,INSTRUCTIONS],...], or null where none are told.
std::string joined(const std::vector<after::Layers::Layer>& layers) {
  std::string text;
  for (const after::Layers::Layer& layer : layers) {
    text += (text.empty() ? "[" : ",[") + quoted(layer.name) + ',' + std::to_string(layer.ns) +
            ',' + or_null(layer.instructions) + ']';
  }
  return text.empty() ? "null" : '[' + text + ']';
}

void print_report() {
  const std::string diff = joined(std::vector<float>(1, report.batch_max_abs_diff));
  std::fprintf(
      out,
      "{\"version\":1,\"engine\":%s,\"number_format\":%s,\"batch\":%d,\"threads\":%d,"
      "\"passes\":%d,\"warmup\":%d,\"status\":%s,\"message\":%s,\"first_pass_ns\":%s,"
      "\"samples_ns\":%s,\"probe_ns\":%s,\"cpu_ns\":%s,\"peak_rss_kib\":%ld,"
      "\"instructions\":%s,\"page_faults_major\":%ld,\"output\":%s,"
      "\"batch_max_abs_diff\":%s,\"repeat_identical\":%s,\"cores\":%s,\"classes\":%s,"
      "\"layers\":%s,\"layers_message\":%s,\"after_ns\":%s}\n",
      quoted(engine_name).c_str(), quoted(number_format).c_str(), report.batch, options.threads,
      options.passes, options.warmup, quoted(report.status).c_str(),
      quoted(report.message).c_str(), or_null(report.first_pass_ns).c_str(),
      joined(report.samples_ns).c_str(), joined(report.probe_ns).c_str(),
      std::to_string(cpu_ns()).c_str(),
      report.peak_rss_kib < 0 ? supervisor::used().ru_maxrss : report.peak_rss_kib,
      or_null(report.instructions).c_str(), report.page_faults_major,
      joined(report.output).c_str(), diff.substr(1, diff.size() - 2).c_str(),
      report.repeat_identical ? "true" : "false", quoted(cores::bound()).c_str(),
      options.pictures.empty() ? "null" : joined(report.classes).c_str(),
      joined(report.layers).c_str(), quoted(report.layers_message).c_str(),
      std::to_string(report.after_ns).c_str());
  std::fflush(out);
}

int exit_status() { return report.status == "ok" ? 0 : report.status == "oom" ? 3 : 4; }

std::vector<float> read_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.empty() || bytes.size() % sizeof(float)) {
    throw std::runtime_error(path + ": not a file of float32 values");
  }
  std::vector<float> image(bytes.size() / sizeof(float));
  std::memcpy(image.data(), bytes.data(), bytes.size());
  return image;
}

// NaN when a difference is.
float largest_difference(const std::vector<float>& output, int batch) {
  const std::size_t size = output.size() / batch;
  float largest = 0;
  for (std::size_t i = size; i < output.size(); ++i) {
    const float difference = std::fabs(output[i] - output[i % size]);
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

void time_passes(Engine& engine) {
  report.samples_ns.reserve(options.passes);
  const InstructionCounter counter;
  report.probe_ns.push_back(probe());
  const long faults = supervisor::used().ru_majflt;
  const int64_t before = counter.total();
  for (int pass = 0; pass < options.passes; ++pass) {
    const int64_t start = now_ns();
    engine.forward();
    report.samples_ns.push_back(now_ns() - start);
  }
  const int64_t after = counter.total();
  report.page_faults_major = supervisor::used().ru_majflt - faults;
  report.probe_ns.push_back(probe());
  if (before >= 0 && after >= 0) report.instructions = after - before;
}

// A batch of the one image.
void set_image(Engine& engine, const std::vector<float>& image) {
  std::vector<float> images;
  images.reserve(image.size() * report.batch);
  for (int i = 0; i < report.batch; ++i) images.insert(images.end(), image.begin(), image.end());
  engine.set_input(images.data(), images.size());
}

// A stack that fails while it tells of its layers has still been measured.
void ask_layers(Engine& engine, const std::vector<float>& image) {
  try {
    set_image(engine, image);
    after::Layers layers;
    if (engine.tell_layers(options.passes, layers)) {
      report.layers = layers.all();
    } else {
      report.layers_message = "this stack does not tell what its layers take";
    }
  } catch (const std::exception& error) {
    report.layers_message = error.what();
  }
}

void ask_more(Engine& engine, const std::vector<float>& image) {
  const int64_t start = now_ns();
  if (!options.pictures.empty()) {
    report.classes = after::classes(engine, report.batch, read_image(options.pictures), image.size());
  }
  if (options.layers) ask_layers(engine, image);
  report.after_ns = now_ns() - start;
}

void measure(Engine& engine, const std::vector<float>& image) {
  engine.prepare(report.batch);
  set_image(engine, image);
  const int64_t start = now_ns();
  engine.forward();
  report.first_pass_ns = now_ns() - start;
  const std::vector<float> first = engine.output();
  for (int pass = 0; pass < options.warmup; ++pass) engine.forward();
  time_passes(engine);
  const std::vector<float> last = engine.output();
  if (last.empty() || last.size() % report.batch || last.size() != first.size()) {
    throw std::runtime_error("the output does not split into images of one size");
  }
  report.repeat_identical =
      std::memcmp(first.data(), last.data(), first.size() * sizeof(float)) == 0;
  report.batch_max_abs_diff = largest_difference(last, report.batch);
  report.output.assign(last.begin(), last.begin() + last.size() / report.batch);
  report.peak_rss_kib = supervisor::used().ru_maxrss;
  ask_more(engine, image);
  report.status = "ok";
}

[[noreturn]] void usage(const std::string& fault) {
  std::fprintf(stderr,
               "%s\nusage: runner --model DIR [--batch N,N,...] [--passes N] [--warmup N] "
               "[--threads N] [--cores LIST] [--pictures FILE] [--layers]\n",
               fault.c_str());
  std::exit(2);
}

int parse_number(const std::string& text, int lowest) {
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (errno || text.empty() || *end || value < lowest || value > 1000000) {
    usage("'" + text + "' is not a whole number from " + std::to_string(lowest) + " to 1000000");
  }
  return int(value);
}

std::vector<int> parse_numbers(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) numbers.push_back(parse_number(part, 1));
  return numbers;
}

void parse(int argc, char** argv) {
  const option known[] = {{"model", 1, nullptr, 'm'},  {"batch", 1, nullptr, 'b'},
                          {"passes", 1, nullptr, 'p'}, {"warmup", 1, nullptr, 'w'},
                          {"threads", 1, nullptr, 't'}, {"cores", 1, nullptr, 'c'},
                          {"pictures", 1, nullptr, 'i'}, {"layers", 0, nullptr, 'l'},
                          {nullptr, 0, nullptr, 0}};
  for (int key; (key = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (key) {
      case 'm': options.model = optarg; break;
      case 'b': options.batches = parse_numbers(optarg); break;
      case 'p': options.passes = parse_number(optarg, 1); break;
      case 'w': options.warmup = parse_number(optarg, 0); break;
      case 't': options.threads = parse_number(optarg, 1); break;
      case 'c': options.cores = optarg; break;
      case 'i': options.pictures = optarg; break;
      case 'l': options.layers = true; break;
      default: usage("bad option");
    }
  }
  if (optind < argc) usage(std::string("unexpected argument '") + argv[optind] + "'");
  if (options.model.empty()) usage("--model is missing");
}

// Mostly it has been done before main(); the report tells where the process may run.
void bind() {
  cpu_set_t set;
  if (!options.cores) return;
  if (!cores::read(options.cores, &set)) usage(std::string(options.cores) + " is no list of cores");
  if (cores::bound() != options.cores) cores::bind_all(set);
}

// Keeps stdout for the JSON lines: what a stack prints there goes to stderr.
void divert_stdout() {
  out = fdopen(dup(STDOUT_FILENO), "w");
  if (!out || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    std::perror("runner: stdout");
    std::exit(4);
  }
}

// Fills the report. The engine is made for the first batch size and kept for the next ones.
void measure_batch(std::unique_ptr<Engine>& engine, int batch) {
  report = Report();
  report.batch = *supervisor::batch = batch;
  try {
    const std::vector<float> image = read_image(options.model + "/input.f32");
    if (!engine) engine = make_engine(options.model, options.threads);
    measure(*engine, image);
  } catch (const std::bad_alloc&) {
    report.status = "oom";
    report.message = "out of memory";
  } catch (const std::exception& error) {
    report.message = error.what();
  } catch (...) {
    report.message = "the stack threw something that is no std::exception";
  }
}

}  // namespace

void give_up(const std::string& status, const std::string& message) {
  report.status = status;
  report.message = message;
  print_report();
  std::_Exit(exit_status());  // the stack is in no state to clean up
}

int main(int argc, char** argv) {
  parse(argc, argv);
  bind();
  divert_stdout();
  if (supervisor::killed) {
    report.batch = *supervisor::batch ? *supervisor::batch : options.batches.front();
    give_up("oom", "killed, as the kernel does when memory runs out");
  }
  std::unique_ptr<Engine> engine;
  for (int batch : options.batches) {
    measure_batch(engine, batch);
    print_report();
    if (report.status != "ok") break;
  }
  return exit_status();
}
