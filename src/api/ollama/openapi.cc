// Ollama's share of the OpenAPI document.
#include "api/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kPaths = R"json({
"/": {"get": {
  "operationId": "ollamaIsRunning", "summary": "What Ollama says here",
  "responses": {"200": {"description": "A line of text.", "content":
    {"text/plain": {"schema": {"type": "string"}}}}}}},
"/api/chat": {"post": {
  "operationId": "ollamaChat",
  "summary": "Answers a conversation; without messages, loads or unloads",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "OllamaChatRequest"}}}},
  "responses": {"200": {"description":
    "The answer; unless stream is false, a line of the same shape a piece.",
    "content": {
      "application/json": {"schema": {"$ref": "OllamaChatAnswer"}},
      "application/x-ndjson": {"schema": {"type": "string"}}}}}}},
"/api/generate": {"post": {
  "operationId": "ollamaGenerate",
  "summary": "Answers a prompt; without one, loads or unloads",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "OllamaGenerateRequest"}}}},
  "responses": {"200": {"description":
    "The answer; unless stream is false, a line of the same shape a piece.",
    "content": {
      "application/json": {"schema": {"$ref": "OllamaGenerateAnswer"}},
      "application/x-ndjson": {"schema": {"type": "string"}}}}}}},
"/api/tags": {"get": {
  "operationId": "ollamaTags", "summary": "The models on this machine",
  "responses": {"200": {"description": "All of them.", "content":
    {"application/json": {"schema": {"$ref": "OllamaModels"}}}}}}},
"/api/ps": {"get": {
  "operationId": "ollamaPs", "summary": "The models in memory",
  "responses": {"200": {"description": "All of them.", "content":
    {"application/json": {"schema": {"$ref": "OllamaModels"}}}}}}},
"/api/show": {"post": {
  "operationId": "ollamaShow", "summary": "What a model's file says",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"type": "object", "required": ["model"], "properties": {
      "model": {"type": "string", "minLength": 1},
      "verbose": {"type": "boolean"}}}}}},
  "responses": {"200": {"description": "The model.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["details", "model_info", "capabilities", "modified_at"],
      "properties": {
        "license": {"type": "string"},
        "modelfile": {"type": "string"},
        "parameters": {"type": "string"},
        "template": {"type": "string"},
        "renderer": {"type": "string"},
        "parser": {"type": "string"},
        "details": {"type": "object"},
        "model_info": {"type": "object"},
        "capabilities": {"type": "array", "items": {"type": "string"}},
        "modified_at": {"type": "string"}}}}}}}}},
"/api/version": {"get": {
  "operationId": "ollamaVersion", "summary": "The protocol's version",
  "responses": {"200": {"description": "The version.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["version"],
      "properties": {"version": {"type": "string"}}}}}}}}},
"/api/status": {"get": {
  "operationId": "ollamaStatus", "summary": "That there is no cloud",
  "responses": {"200": {"description": "The status.", "content":
    {"application/json": {"schema": {"type": "object"}}}}}}},
"/api/pull": {"post": {
  "operationId": "ollamaPull", "summary": "Downloads a model",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "OllamaNameRequest"}}}},
  "responses": {"200": {"description":
    "The end; unless stream is false, a line of the same shape a step.",
    "content": {
      "application/json": {"schema": {"$ref": "OllamaProgress"}},
      "application/x-ndjson": {"schema": {"type": "string"}}}}}}},
"/api/create": {"post": {
  "operationId": "ollamaCreate",
  "summary": "Names a model or an uploaded GGUF file",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"allOf": [{"$ref": "OllamaNameRequest"},
      {"type": "object", "properties": {
        "from": {"type": "string"},
        "files": {"type": "object", "additionalProperties":
          {"type": "string"}}}}]}}}},
  "responses": {"200": {"description":
    "The end; unless stream is false, a line of the same shape a step.",
    "content": {
      "application/json": {"schema": {"$ref": "OllamaProgress"}},
      "application/x-ndjson": {"schema": {"type": "string"}}}}}}},
"/api/copy": {"post": {
  "operationId": "ollamaCopy", "summary": "A second name for a model",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"type": "object", "required": ["source", "destination"],
      "properties": {
        "source": {"type": "string", "minLength": 1},
        "destination": {"type": "string", "minLength": 1}}}}}},
  "responses": {"200": {"description": "Done; the body is empty."}}}},
"/api/delete": {"delete": {
  "operationId": "ollamaDelete",
  "summary": "Deletes a model of carat's own folder",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"type": "object", "required": ["model"], "properties":
      {"model": {"type": "string", "minLength": 1}}}}}},
  "responses": {"200": {"description": "Done; the body is empty."}}}},
"/api/blobs/{digest}": {
  "parameters": [{"name": "digest", "in": "path", "required": true,
    "description": "sha256: and 64 hexadecimal digits.",
    "schema": {"type": "string"}}],
  "head": {
    "operationId": "ollamaHasBlob", "summary": "Whether a file is there",
    "responses": {"200": {"description": "It is."},
      "404": {"description": "It is not."}}},
  "post": {
    "operationId": "ollamaPutBlob", "summary": "Uploads a file",
    "requestBody": {"required": true, "content": {"application/octet-stream":
      {"schema": {"type": "string", "format": "binary"}}}},
    "responses": {"200": {"description": "It was there already."},
      "201": {"description": "It is there now."}}}},
"/api/embed": {"post": {
  "operationId": "ollamaEmbed",
  "summary": "Refused: the models are generative",
  "requestBody": {"content": {"application/json":
    {"schema": {"type": "object"}}}},
  "responses": {}}},
"/api/embeddings": {"post": {
  "operationId": "ollamaEmbeddings",
  "summary": "Refused: the models are generative",
  "requestBody": {"content": {"application/json":
    {"schema": {"type": "object"}}}},
  "responses": {}}},
"/api/push": {"post": {
  "operationId": "ollamaPush",
  "summary": "Refused: carat uploads no models",
  "requestBody": {"content": {"application/json":
    {"schema": {"type": "object"}}}},
  "responses": {}}}
})json";

constexpr std::string_view kSchemas = R"json({
"OllamaError": {"type": "object", "required": ["error"],
  "properties": {"error": {"type": "string"}}},
"OllamaNameRequest": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string", "minLength": 1},
  "stream": {"type": "boolean", "default": true}}},
"OllamaProgress": {"type": "object", "properties": {
  "status": {"type": "string"},
  "error": {"type": "string"},
  "digest": {"type": "string"},
  "total": {"type": "integer"},
  "completed": {"type": "integer"}}},
"OllamaCommon": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string", "minLength": 1},
  "stream": {"type": "boolean", "default": true},
  "think": {"anyOf": [{"type": "boolean"},
    {"enum": ["low", "medium", "high", "max"]}]},
  "format": {"anyOf": [{"enum": ["", "json"]}, {"type": "object"}]},
  "keep_alive": {"type": ["number", "string"],
    "description": "Seconds, or a duration such as 5m."},
  "logprobs": {"type": "boolean"},
  "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
  "_debug_render_only": {"type": "boolean"},
  "options": {"type": "object", "properties": {
    "temperature": {"type": "number", "minimum": 0, "maximum": 1000},
    "top_p": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 1},
    "min_p": {"type": "number", "minimum": 0, "maximum": 1},
    "typical_p": {"type": "number"},
    "top_k": {"type": "integer", "minimum": 0},
    "repeat_penalty": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 100},
    "presence_penalty": {"type": "number", "minimum": -100,
    "maximum": 100},
    "frequency_penalty": {"type": "number", "minimum": -100,
    "maximum": 100},
    "repeat_last_n": {"type": "integer", "minimum": -1},
    "seed": {"type": "integer"},
    "num_predict": {"type": "integer"},
    "stop": {"anyOf": [{"type": "string"},
      {"type": "array", "items": {"type": "string"}}]},
    "num_ctx": {"type": "integer"},
    "num_batch": {"type": "integer"},
    "num_gpu": {"type": "integer"},
    "main_gpu": {"type": "integer"},
    "num_thread": {"type": "integer"},
    "num_keep": {"type": "integer"},
    "draft_num_predict": {"type": "integer"},
    "use_mmap": {"type": "boolean"}}}}},
"OllamaImages": {"type": "array", "items":
  {"type": "string", "contentEncoding": "base64"}},
"OllamaChatRequest": {"allOf": [{"$ref": "OllamaCommon"},
  {"type": "object", "properties": {
    "messages": {"type": "array", "items": {"type": "object",
      "required": ["role"], "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {"type": "string"},
        "thinking": {"type": "string"},
        "images": {"$ref": "OllamaImages"},
        "tool_calls": {"type": "array", "items": {"$ref": "OllamaCall"}},
        "tool_call_id": {"type": "string"},
        "tool_name": {"type": "string"},
        "name": {"type": "string"}}}},
    "tools": {"type": "array", "items": {"type": "object",
      "required": ["function"], "properties": {
        "type": {"const": "function"},
        "function": {"type": "object", "required": ["name"], "properties": {
          "name": {"type": "string", "minLength": 1},
          "description": {"type": "string"},
          "parameters": {"type": "object"}}}}}}}}]},
"OllamaGenerateRequest": {"allOf": [{"$ref": "OllamaCommon"},
  {"type": "object", "properties": {
    "prompt": {"type": "string"},
    "system": {"type": "string"},
    "raw": {"type": "boolean"},
    "images": {"$ref": "OllamaImages"},
    "context": {"type": "array", "items": {"type": "integer"}},
    "suffix": {"const": ""},
    "template": {"const": ""}}}]},
"OllamaCall": {"type": "object", "required": ["function"], "properties": {
  "id": {"type": "string"},
  "function": {"type": "object", "required": ["name"], "properties": {
    "index": {"type": "integer"},
    "name": {"type": "string", "minLength": 1},
    "arguments": {"type": "object"}}}}},
"OllamaAnswer": {"type": "object", "required": ["model", "created_at"],
  "properties": {
    "model": {"type": "string"},
    "created_at": {"type": "string", "format": "date-time"},
    "done": {"type": "boolean"},
    "done_reason": {"type": "string"},
    "logprobs": {"type": "array", "items": {"type": "object"}},
    "total_duration": {"type": "integer"},
    "load_duration": {"type": "integer"},
    "prompt_eval_count": {"type": "integer"},
    "prompt_eval_duration": {"type": "integer"},
    "eval_count": {"type": "integer"},
    "eval_duration": {"type": "integer"},
    "_debug_info": {"type": "object"}}},
"OllamaChatAnswer": {"allOf": [{"$ref": "OllamaAnswer"},
  {"type": "object", "properties": {
    "message": {"type": "object", "required": ["role", "content"],
      "properties": {
        "role": {"const": "assistant"},
        "content": {"type": "string"},
        "thinking": {"type": "string"},
        "tool_calls": {"type": "array",
          "items": {"$ref": "OllamaCall"}}}}}}]},
"OllamaGenerateAnswer": {"allOf": [{"$ref": "OllamaAnswer"},
  {"type": "object", "properties": {
    "response": {"type": "string"},
    "thinking": {"type": "string"},
    "context": {"type": "array", "items": {"type": "integer"}}}}]},
"OllamaModels": {"type": "object", "required": ["models"], "properties": {
  "models": {"type": "array", "items": {"type": "object",
    "required": ["name", "model", "size", "digest", "details"],
    "properties": {
      "name": {"type": "string"},
      "model": {"type": "string"},
      "modified_at": {"type": "string"},
      "size": {"type": "integer"},
      "digest": {"type": "string"},
      "details": {"type": "object"},
      "capabilities": {"type": "array", "items": {"type": "string"}},
      "expires_at": {"type": "string"},
      "size_vram": {"type": "integer"},
      "context_length": {"type": "integer"}}}}}}
})json";

}  // namespace

OpenApiShare OllamaApi() {
  return {.tag = "Ollama",
          .description = "For Ollama's clients: OLLAMA_HOST is this server.",
          .error_schema = "OllamaError",
          .paths = kPaths,
          .schemas = kSchemas,
          .routes = OllamaRoutes()};
}

}  // namespace carat
