// What the engine calls of LiteRT 2.3.0's C API. The wheel has the library and no header, so this
// declares, in our own words, functions that libLiteRt.so exports (litert/c/*.h of LiteRT's
// repository is where they are described). They are of 2.3.0 and no other, which the recipe pins by
// its hash: a model once was made without an environment (upstream's 01d971c), and an event of the
// profiler is 16 bytes longer than a header of upstream's says for C (ea68814).

#ifndef BUILDMATRIX_RECIPES_LITERT_H_
#define BUILDMATRIX_RECIPES_LITERT_H_

#include <cstddef>
#include <cstdint>

extern "C" {

typedef int LiteRtStatus;  // 0 is success
typedef std::size_t LiteRtParamIndex;

typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtModelT* LiteRtModel;
typedef struct LiteRtSignatureT* LiteRtSignature;
typedef struct LiteRtTensorT* LiteRtTensor;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT* LiteRtOpaqueOptions;
typedef struct LiteRtCompiledModelT* LiteRtCompiledModel;
typedef struct LiteRtTensorBufferT* LiteRtTensorBuffer;
typedef struct LiteRtProfilerT* LiteRtProfiler;

struct LiteRtAny {
  std::int32_t type;
  union {
    std::int64_t number;
    const void* pointer;
  };
};

struct LiteRtEnvOption {
  std::int32_t tag;
  LiteRtAny value;
};

// Eight dimensions at most; the strides count only where the second field of the first word says so.
struct LiteRtLayout {
  unsigned int rank : 7;
  bool has_strides : 1;
  std::int32_t dimensions[8];
  std::uint32_t strides[8];
};

struct LiteRtRankedTensorType {
  std::int32_t element_type;
  LiteRtLayout layout;
};

// One event of the profiler, 104 bytes.
struct ProfiledEventData {
  const char* tag;
  std::int32_t event_type;
  std::uint64_t start_us;
  std::uint64_t elapsed_us;
  std::uint64_t memory_before[3];
  std::uint64_t memory_after[3];
  std::uint64_t metadata[2];
  std::int32_t source;
};
static_assert(sizeof(ProfiledEventData) == 104, "LiteRT 2.3.0 counts its events in 104 bytes");

LiteRtStatus LiteRtCreateEnvironment(int count, const LiteRtEnvOption* options,
                                     LiteRtEnvironment* made);
void LiteRtDestroyEnvironment(LiteRtEnvironment);

LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment, const char* file, LiteRtModel* made);
void LiteRtDestroyModel(LiteRtModel);
LiteRtStatus LiteRtGetModelSignature(LiteRtModel, LiteRtParamIndex, LiteRtSignature* found);
LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature, LiteRtParamIndex* count);
LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature, LiteRtParamIndex* count);
LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature, LiteRtParamIndex,
                                                  LiteRtTensor* found);
LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature, LiteRtParamIndex,
                                                   LiteRtTensor* found);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor, LiteRtRankedTensorType* type);

LiteRtStatus LiteRtCreateOptions(LiteRtOptions* made);
void LiteRtDestroyOptions(LiteRtOptions);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions, int set);
LiteRtStatus LiteRtCreateOpaqueOptions(const char* identifier, void* payload,
                                       void (*release)(void*), LiteRtOpaqueOptions* made);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions, LiteRtOpaqueOptions taken);

LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment, LiteRtModel, LiteRtOptions,
                                       LiteRtCompiledModel* made);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel);
LiteRtStatus LiteRtCompiledModelResizeInputTensorNonStrict(LiteRtCompiledModel,
                                                           LiteRtParamIndex signature,
                                                           LiteRtParamIndex input, const int* shape,
                                                           std::size_t rank);
LiteRtStatus LiteRtGetCompiledModelOutputTensorLayouts(LiteRtCompiledModel,
                                                       LiteRtParamIndex signature,
                                                       std::size_t count, LiteRtLayout* found,
                                                       bool allocate);
LiteRtStatus LiteRtCompiledModelIsFullyAccelerated(LiteRtCompiledModel, bool* whole);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel, LiteRtParamIndex signature,
                                    std::size_t inputs, LiteRtTensorBuffer* from,
                                    std::size_t outputs, LiteRtTensorBuffer* to);

LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType*, void* memory,
                                                    std::size_t bytes, void (*release)(void*),
                                                    LiteRtTensorBuffer* made);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer);

LiteRtStatus LiteRtCompiledModelGetProfiler(LiteRtCompiledModel, LiteRtProfiler* found);
LiteRtStatus LiteRtStartProfiler(LiteRtProfiler);
LiteRtStatus LiteRtStopProfiler(LiteRtProfiler);
LiteRtStatus LiteRtResetProfiler(LiteRtProfiler);
LiteRtStatus LiteRtGetNumProfilerEvents(LiteRtProfiler, int* count);
LiteRtStatus LiteRtGetProfilerEvents(LiteRtProfiler, int count, ProfiledEventData* events);

}  // extern "C"

#endif  // BUILDMATRIX_RECIPES_LITERT_H_
