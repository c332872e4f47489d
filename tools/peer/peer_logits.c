// Logits and perplexity from the pinned llama.cpp library, for comparison.
// Built by setup.sh. Token files hold ids as decimal numbers between blanks.
//
//   peer_logits tokenize MODEL TEXT_FILE TOKENS_OUT
//   peer_logits logits MODEL TOKENS_FILE LOGITS_OUT [OPTION...]
//   peer_logits perplexity MODEL TOKENS_FILE WINDOW [OPTION...]
//
// Options: threads=2 kv=f16|f32 fa=auto|on|off repack=1|0 batch=256
//          records=FILE (perplexity: one record a scored token, see below)
//          windows=0 (perplexity: only so many windows; 0 for all)
//
// LOGITS_OUT is f32 little-endian, [tokens, vocabulary], one row for every
// position of the file taken as one sequence, as it is (no BOS added).
//
// perplexity cuts the tokens (a file without BOS) into windows that do not
// overlap: BOS and WINDOW - 1 tokens each, evaluated on its own. Every token
// but the BOS is scored. What is left at the end, too short for a window, is
// not. A record is { i32 token; f32 log_probability; i32 best; f32
// best_log_probability }.
//
// The parameter structs of the library are opaque here; the offsets below
// are those of the version that setup.sh pins.

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  unsigned char bytes[512];
} Params;

typedef struct {
  int32_t n_tokens;
  int32_t* token;
  float* embd;
  int32_t* pos;
  int32_t* n_seq_id;
  int32_t** seq_id;
  int8_t* logits;
} Batch;

Params llama_model_default_params(void);
Params llama_context_default_params(void);
void* llama_model_load_from_file(const char* path, Params params);
void* llama_init_from_model(void* model, Params params);
void* llama_get_memory(void* context);
void llama_memory_clear(void* memory, bool data);
int32_t llama_decode(void* context, Batch batch);
float* llama_get_logits_ith(void* context, int32_t i);
const void* llama_model_get_vocab(const void* model);
int32_t llama_vocab_n_tokens(const void* vocab);
int32_t llama_vocab_bos(const void* vocab);
int32_t llama_tokenize(const void* vocab, const char* text, int32_t length,
                       int32_t* tokens, int32_t capacity, bool add_special,
                       bool parse_special);
void llama_backend_init(void);
void ggml_backend_load_all_from_path(const char* folder);
void llama_log_set(void (*log)(int, const char*, void*), void* data);

enum {  // byte offsets
  kModelUseExtraBuffers = 74,
  kContextSize = 0,
  kContextBatch = 4,
  kContextMicroBatch = 8,
  kContextOutputsMax = 20,
  kContextThreads = 28,
  kContextThreadsBatch = 32,
  kContextFlashAttention = 52,
  kContextTypeK = 104,
  kContextTypeV = 108,
  kContextFullSlidingCache = 132,
};
enum { kTypeF32 = 0, kTypeF16 = 1 };

static void Fail(const char* what, const char* detail) {
  fprintf(stderr, "peer_logits: %s %s\n", what, detail);
  exit(1);
}

static void Log(int level, const char* text, void* data) {
  (void)data;
  if (level == 4) fputs(text, stderr);  // errors
}

static void Set(Params* params, int offset, int32_t value) {
  memcpy(params->bytes + offset, &value, sizeof value);
}

static const char* Option(int argc, char** argv, const char* key,
                          const char* otherwise) {
  size_t length = strlen(key);
  for (int i = 5; i < argc; i++) {
    if (!strncmp(argv[i], key, length) && argv[i][length] == '=') {
      return argv[i] + length + 1;
    }
  }
  return otherwise;
}

static char* ReadFile(const char* path, long* size) {
  FILE* file = fopen(path, "rb");
  if (!file) Fail("cannot read", path);
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char* text = malloc((size_t)*size + 1);
  if (!text || fread(text, 1, (size_t)*size, file) != (size_t)*size) {
    Fail("cannot read", path);
  }
  text[*size] = 0;
  fclose(file);
  return text;
}

static int32_t* ReadTokens(const char* path, int* count) {
  long size;
  char* text = ReadFile(path, &size);
  int32_t* tokens = malloc(sizeof(int32_t) * ((size_t)size / 2 + 1));
  *count = 0;
  for (char *at = text, *end;; at = end) {
    long id = strtol(at, &end, 10);
    if (end == at) break;
    tokens[(*count)++] = (int32_t)id;
  }
  free(text);
  if (*count == 0) Fail("no token ids in", path);
  return tokens;
}

typedef struct {
  void* model;
  void* context;
  int vocab;
  int bos;
  int batch;
} Peer;

static void* LoadModel(const char* path, int argc, char** argv) {
  llama_log_set(Log, NULL);
  ggml_backend_load_all_from_path(PEER_LIBRARIES);
  llama_backend_init();
  Params params = llama_model_default_params();
  params.bytes[kModelUseExtraBuffers] =
      (unsigned char)atoi(Option(argc, argv, "repack", "1"));
  void* model = llama_model_load_from_file(path, params);
  if (!model) Fail("cannot load", path);
  return model;
}

static Peer Open(int argc, char** argv, int context_size) {
  Peer peer = {.model = LoadModel(argv[2], argc, argv)};
  const void* vocab = llama_model_get_vocab(peer.model);
  peer.vocab = llama_vocab_n_tokens(vocab);
  peer.bos = llama_vocab_bos(vocab);
  peer.batch = atoi(Option(argc, argv, "batch", "256"));
  const char* flash = Option(argc, argv, "fa", "auto");
  bool f32 = !strcmp(Option(argc, argv, "kv", "f16"), "f32");
  int threads = atoi(Option(argc, argv, "threads", "2"));
  Params params = llama_context_default_params();
  Set(&params, kContextSize, context_size);
  Set(&params, kContextBatch, peer.batch);
  Set(&params, kContextMicroBatch, peer.batch);
  Set(&params, kContextOutputsMax, peer.batch);
  Set(&params, kContextThreads, threads);
  Set(&params, kContextThreadsBatch, threads);
  Set(&params, kContextFlashAttention,
      !strcmp(flash, "on")    ? 1
      : !strcmp(flash, "off") ? 0
                              : -1);
  Set(&params, kContextTypeK, f32 ? kTypeF32 : kTypeF16);
  Set(&params, kContextTypeV, f32 ? kTypeF32 : kTypeF16);
  params.bytes[kContextFullSlidingCache] = 0;
  peer.context = llama_init_from_model(peer.model, params);
  if (!peer.context) Fail("cannot make a context for", argv[2]);
  return peer;
}

// Evaluates `count` tokens from `start` on; logits of all of them.
static void Decode(Peer* peer, int32_t* tokens, int start, int count) {
  static int32_t sequence = 0;
  size_t n = (size_t)count;
  int32_t* position = malloc(n * sizeof *position);
  int32_t* ids = malloc(n * sizeof *ids);
  int32_t** id = malloc(n * sizeof *id);
  int8_t* wanted = malloc(n);
  for (int i = 0; i < count; i++) {
    position[i] = start + i;
    ids[i] = 1;
    id[i] = &sequence;
    wanted[i] = 1;
  }
  Batch batch = {.n_tokens = count,
                 .token = tokens + start,
                 .pos = position,
                 .n_seq_id = ids,
                 .seq_id = id,
                 .logits = wanted};
  if (llama_decode(peer->context, batch)) Fail("decoding failed", "");
  free(position);
  free(ids);
  free(id);
  free(wanted);
}

static int Logits(int argc, char** argv) {
  int count;
  int32_t* tokens = ReadTokens(argv[3], &count);
  Peer peer = Open(argc, argv, count < 256 ? 256 : count);
  FILE* out = fopen(argv[4], "wb");
  if (!out) Fail("cannot write", argv[4]);
  for (int start = 0; start < count; start += peer.batch) {
    int part = count - start < peer.batch ? count - start : peer.batch;
    Decode(&peer, tokens, start, part);
    for (int i = 0; i < part; i++) {
      fwrite(llama_get_logits_ith(peer.context, i), sizeof(float),
             (size_t)peer.vocab, out);
    }
  }
  if (fclose(out)) Fail("cannot write", argv[4]);
  printf("%d positions of %d logits\n", count, peer.vocab);
  return 0;
}

typedef struct {
  int32_t token;
  float log_probability;
  int32_t best;
  float best_log_probability;
} Record;

static Record Score(const float* logits, int vocab, int32_t token) {
  int best = 0;
  for (int i = 1; i < vocab; i++) {
    if (logits[i] > logits[best]) best = i;
  }
  double sum = 0;
  for (int i = 0; i < vocab; i++) {
    sum += exp((double)logits[i] - logits[best]);
  }
  double log_sum = log(sum);
  return (Record){.token = token,
                  .log_probability =
                      (float)((double)logits[token] - logits[best] - log_sum),
                  .best = best,
                  .best_log_probability = (float)-log_sum};
}

static int Perplexity(int argc, char** argv) {
  int count, window = atoi(argv[4]);
  if (window < 2) Fail("the window must be at least 2, not", argv[4]);
  int32_t* tokens = ReadTokens(argv[3], &count);
  Peer peer = Open(argc, argv, window < 256 ? 256 : window);
  const char* path = Option(argc, argv, "records", NULL);
  FILE* records = path ? fopen(path, "wb") : NULL;
  if (path && !records) Fail("cannot write", path);
  int32_t* one = malloc(sizeof(int32_t) * (size_t)window);
  int limit = atoi(Option(argc, argv, "windows", "0"));
  int available = count / (window - 1);
  if (limit > 0 && limit < available) available = limit;
  double total = 0;
  long scored = 0;
  for (int from = 0; from < available * (window - 1); from += window - 1) {
    one[0] = peer.bos;
    memcpy(one + 1, tokens + from, sizeof(int32_t) * (size_t)(window - 1));
    llama_memory_clear(llama_get_memory(peer.context), false);
    for (int start = 0; start < window; start += peer.batch) {
      int part = window - start < peer.batch ? window - start : peer.batch;
      Decode(&peer, one, start, part);
      for (int i = 0; i < part && start + i + 1 < window; i++) {
        Record record = Score(llama_get_logits_ith(peer.context, i), peer.vocab,
                              one[start + i + 1]);
        total -= record.log_probability;
        scored++;
        if (records) fwrite(&record, sizeof record, 1, records);
      }
    }
  }
  if (records && fclose(records)) Fail("cannot write", path);
  if (!scored) Fail("fewer tokens than one window in", argv[3]);
  printf(
      "tokens scored %ld\nmean negative log-likelihood %.6f\n"
      "perplexity %.5f\n",
      scored, total / (double)scored, exp(total / (double)scored));
  return 0;
}

static int Tokenize(int argc, char** argv) {
  long size;
  char* text = ReadFile(argv[3], &size);
  const void* vocab = llama_model_get_vocab(LoadModel(argv[2], argc, argv));
  int32_t* tokens = malloc(sizeof(int32_t) * ((size_t)size + 16));
  int32_t count = llama_tokenize(vocab, text, (int32_t)size, tokens,
                                 (int32_t)size + 16, false, false);
  if (count < 0) Fail("cannot tokenize", argv[3]);
  FILE* out = fopen(argv[4], "w");
  if (!out) Fail("cannot write", argv[4]);
  for (int i = 0; i < count; i++) fprintf(out, "%" PRId32 "\n", tokens[i]);
  if (fclose(out)) Fail("cannot write", argv[4]);
  printf("%" PRId32 " tokens\n", count);
  return 0;
}

int main(int argc, char** argv) {
  if (argc >= 5 && !strcmp(argv[1], "tokenize")) return Tokenize(argc, argv);
  if (argc >= 5 && !strcmp(argv[1], "logits")) return Logits(argc, argv);
  if (argc >= 5 && !strcmp(argv[1], "perplexity")) {
    return Perplexity(argc, argv);
  }
  fputs(
      "usage: peer_logits tokenize MODEL TEXT_FILE TOKENS_OUT\n"
      "       peer_logits logits MODEL TOKENS_FILE LOGITS_OUT [OPTION...]\n"
      "       peer_logits perplexity MODEL TOKENS_FILE WINDOW [OPTION...]\n"
      "options: threads=2 kv=f16|f32 fa=auto|on|off repack=1|0 batch=256 "
      "records=FILE windows=0\n",
      stderr);
  return 2;
}
