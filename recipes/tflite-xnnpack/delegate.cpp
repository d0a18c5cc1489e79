// Makes every interpreter one on XNNPACK, and refuses one that is so in part only. Linked with
// --wrap between the engine and the C API. Written against tensorflow v2.14.1,
// tensorflow/lite/core/c/common.h and delegates/xnnpack/xnnpack_delegate.h.

#include <pthreadpool.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tensorflow/lite/c/c_api.h"
#include "tensorflow/lite/core/c/common.h"
#include "tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h"
#include "tensorflow/lite/kernels/cpu_backend_context.h"

namespace {

std::int32_t wanted_threads = 1;
std::string refusal;  // TensorFlow Lite's own last line is only that it took the delegate back
TfLiteStatus (*upstream_prepare)(TfLiteContext*, TfLiteDelegate*) = nullptr;

// Called when an interpreter is made and again after each change of the batch. A node that XNNPACK
// does not take would stay with TensorFlow Lite's own kernels, and nothing would say so.
TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  const TfLiteStatus status = upstream_prepare(context, delegate);
  if (status != kTfLiteOk) return status;
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  for (int i = 0; i < plan->size; ++i) {
    TfLiteNode* node = nullptr;
    TfLiteRegistration* kind = nullptr;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &kind) != kTfLiteOk) {
      return kTfLiteError;
    }
    if (node->delegate != delegate) {
      refusal = "XNNPACK does not take node " + std::to_string(plan->data[i]) +
                " (builtin operator " + std::to_string(kind->builtin_code) + ")";
      context->ReportError(context, "%s", refusal.c_str());
      return kTfLiteError;
    }
  }
  return kTfLiteOk;
}

// Lives as long as the process: it must outlive the interpreter, whose owner knows nothing of it.
TfLiteDelegate* make_delegate() {
  TfLiteXNNPackDelegateOptions options = TfLiteXNNPackDelegateOptionsDefault();
  options.num_threads = wanted_threads;
  TfLiteDelegate* delegate = TfLiteXNNPackDelegateCreate(&options);
  if (!delegate) throw std::runtime_error("TfLiteXNNPackDelegateCreate failed");
  const auto pool = static_cast<pthreadpool_t>(TfLiteXNNPackDelegateGetThreadPool(delegate));
  const std::size_t used = pthreadpool_get_threads_count(pool);  // of none it is 1
  if (used != std::size_t(wanted_threads)) {
    throw std::runtime_error("the XNNPACK delegate uses " + std::to_string(used) +
                             " thread(s), not " + std::to_string(wanted_threads));
  }
  upstream_prepare = delegate->Prepare;
  delegate->Prepare = prepare;
  return delegate;
}

}  // namespace

extern "C" {

void __real_TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions*, std::int32_t);
TfLiteInterpreter* __real_TfLiteInterpreterCreate(const TfLiteModel*,
                                                  const TfLiteInterpreterOptions*);

void __wrap_TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options,
                                                  std::int32_t threads) {
  wanted_threads = threads;
  __real_TfLiteInterpreterOptionsSetNumThreads(options, threads);
}

TfLiteInterpreter* __wrap_TfLiteInterpreterCreate(const TfLiteModel* model,
                                                  const TfLiteInterpreterOptions* options) {
  TfLiteInterpreterOptionsAddDelegate(const_cast<TfLiteInterpreterOptions*>(options),
                                      make_delegate());
  TfLiteInterpreter* made = __real_TfLiteInterpreterCreate(model, options);
  if (!made && !refusal.empty()) throw std::runtime_error(refusal);
  return made;
}

}  // extern "C"

// The delegate would take the thread pool of TensorFlow Lite's kernels, were it made with their
// context (TfLiteXNNPackDelegateCreateWithThreadpool). It is not, and so these are never called;
// upstream's would link all of ruy.
namespace tflite {

CpuBackendContext* CpuBackendContext::GetFromContext(TfLiteContext*) { std::abort(); }
pthreadpool_t CpuBackendContext::get_xnnpack_threadpool() { std::abort(); }

}  // namespace tflite
