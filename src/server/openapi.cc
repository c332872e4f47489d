#include "server/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kPaths = R"json({
"/health": {"get": {
  "operationId": "health", "summary": "Alive; asks for no key",
  "security": [{}],
  "responses": {"200": {"description": "It is.", "content":
    {"application/json": {"schema": {"$ref": "StatusWord"}}}}}}},
"/v1/health": {"get": {
  "operationId": "healthV1", "summary": "Alive; asks for no key",
  "security": [{}],
  "responses": {"200": {"description": "It is.", "content":
    {"application/json": {"schema": {"$ref": "StatusWord"}}}}}}},
"/ready": {"get": {
  "operationId": "ready", "summary": "Whether the named models are loaded",
  "responses": {
    "200": {"description": "They are.", "content":
      {"application/json": {"schema": {"$ref": "StatusWord"}}}},
    "503": {"description": "Not yet, or the server is ending.", "content":
      {"application/json": {"schema": {"anyOf": [{"$ref": "StatusWord"},
        {"$ref": "ServerError"}]}}}}}}},
"/metrics": {"get": {
  "operationId": "metrics", "summary": "For Prometheus",
  "responses": {"200": {"description": "Its text format, 0.0.4.", "content":
    {"text/plain": {"schema": {"type": "string"}}}}}}},
"/openapi.json": {"get": {
  "operationId": "openApi", "summary": "This document",
  "responses": {"200": {"description": "The document.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["openapi", "info", "paths"]}}}}}}},
"/props": {"get": {
  "operationId": "props", "summary": "The context window, as llama.cpp does",
  "parameters": [{"name": "model", "in": "query",
    "schema": {"type": "string"}}],
  "responses": {"200": {"description": "About the model.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["default_generation_settings", "model_alias",
        "build_info"],
      "properties": {
        "default_generation_settings": {"type": "object",
          "required": ["n_ctx"],
          "properties": {"n_ctx": {"type": "integer"}}},
        "model_alias": {"type": "string"},
        "build_info": {"type": "string"}}}}}}}}},
"/tokenize": {"post": {
  "operationId": "tokenize", "summary": "Text to tokens",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"type": "object",
      "anyOf": [{"required": ["content"]}, {"required": ["prompt"]}],
      "properties": {
        "model": {"type": "string"},
        "content": {"type": "string", "description": "llama.cpp's form."},
        "prompt": {"type": "string", "description": "vLLM's form."},
        "add_special": {"type": "boolean"},
        "add_special_tokens": {"type": "boolean"},
        "parse_special": {"type": "boolean", "default": true},
        "with_pieces": {"type": "boolean"}}}}}},
  "responses": {"200": {"description": "The tokens.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["tokens"], "properties": {
        "count": {"type": "integer"},
        "max_model_len": {"type": "integer"},
        "tokens": {"type": "array", "items": {"anyOf": [
          {"type": "integer"},
          {"type": "object", "required": ["id", "piece"], "properties": {
            "id": {"type": "integer"},
            "piece": {"type": "string"}}}]}}}}}}}}}},
"/detokenize": {"post": {
  "operationId": "detokenize", "summary": "Tokens to text",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"type": "object", "required": ["tokens"], "properties": {
      "model": {"type": "string"},
      "tokens": {"type": "array", "items": {"type": "integer",
        "minimum": 0}}}}}}},
  "responses": {"200": {"description": "The text.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["content", "prompt"], "properties": {
        "content": {"type": "string"},
        "prompt": {"type": "string"}}}}}}}}},
"/apply-template": {"post": {
  "operationId": "applyTemplate", "summary": "Messages to the prompt",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "ChatRequest"}}}},
  "responses": {"200": {"description": "The prompt.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["prompt", "tokens"], "properties": {
        "prompt": {"type": "string"},
        "tokens": {"type": "integer"}}}}}}}}}
})json";

constexpr std::string_view kSchemas = R"json({
"ServerError": {"type": "object", "required": ["error"], "properties": {
  "error": {"type": "object", "required": ["message"], "properties": {
    "message": {"type": "string"},
    "type": {"type": "string"},
    "code": {"type": ["integer", "null"]}}}}},
"StatusWord": {"type": "object", "required": ["status"],
  "properties": {"status": {"type": "string"}}}
})json";

}  // namespace

OpenApiShare OperationsApi() {
  return {.tag = "Operations",
          .description = "Health, metrics, tokens and this document.",
          .error_schema = "ServerError",
          .paths = kPaths,
          .schemas = kSchemas,
          .routes = OperationsRoutes()};
}

}  // namespace carat
