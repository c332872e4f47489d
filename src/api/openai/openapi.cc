// OpenAI's share of the OpenAPI document: what its readers read and its
// writers write.
#include "api/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kPaths = R"json({
"/v1/chat/completions": {"post": {
  "operationId": "createChatCompletion",
  "summary": "Answers a conversation",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "ChatRequest"}}}},
  "responses": {"200": {"description":
    "The answer; with stream, events of ChatChunk that end with [DONE].",
    "content": {
      "application/json": {"schema": {"$ref": "ChatCompletion"}},
      "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1/chat/completions/input_tokens": {"post": {
  "operationId": "countChatTokens",
  "summary": "Counts the tokens of a conversation's prompt",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "ChatRequest"}}}},
  "responses": {"200": {"description": "The count.", "content":
    {"application/json": {"schema": {"$ref": "TokenCount"}}}}}}},
"/v1/completions": {"post": {
  "operationId": "createCompletion",
  "summary": "Continues a text",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "CompletionRequest"}}}},
  "responses": {"200": {"description":
    "The answer; with stream, events of the same shape that end with [DONE].",
    "content": {
      "application/json": {"schema": {"$ref": "Completion"}},
      "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1/responses": {"post": {
  "operationId": "createResponse",
  "summary": "Answers, and keeps the answer for 30 minutes",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "ResponsesRequest"}}}},
  "responses": {"200": {"description":
    "The answer; with stream, events named as their type.",
    "content": {
      "application/json": {"schema": {"$ref": "Response"}},
      "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1/responses/input_tokens": {"post": {
  "operationId": "countResponseTokens",
  "summary": "Counts the tokens of a prompt",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "ResponsesRequest"}}}},
  "responses": {"200": {"description": "The count.", "content":
    {"application/json": {"schema": {"$ref": "TokenCount"}}}}}}},
"/v1/responses/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "getResponse", "summary": "A kept answer",
    "parameters": [{"name": "stream", "in": "query",
      "description": "true is refused: answers are kept whole.",
      "schema": {"type": "boolean"}}],
    "responses": {"200": {"description": "The answer.", "content":
      {"application/json": {"schema": {"$ref": "Response"}}}}}},
  "delete": {
    "operationId": "deleteResponse", "summary": "Forgets a kept answer",
    "responses": {"200": {"description": "It is gone.", "content":
      {"application/json": {"schema": {"type": "object",
        "required": ["id", "object", "deleted"],
        "properties": {"id": {"type": "string"},
          "object": {"const": "response.deleted"},
          "deleted": {"const": true}}}}}}}}},
"/v1/models": {"get": {
  "operationId": "listModels",
  "summary": "The models on this machine",
  "description": "With x-goog-api-key or ?key= it is Gemini's list.",
  "responses": {"200": {"description": "All of them.", "content":
    {"application/json": {"schema": {"$ref": "ModelList"}}}}}}},
"/v1/models/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "getModel", "summary": "One model",
    "responses": {"200": {"description": "The model.", "content":
      {"application/json": {"schema": {"$ref": "ModelEntry"}}}}}}},
"/v1/embeddings": {"post": {
  "operationId": "createEmbedding",
  "summary": "Refused: the models are generative",
  "requestBody": {"content": {"application/json":
    {"schema": {"type": "object"}}}},
  "responses": {}}},
"/v1/audio/transcriptions": {"post": {
  "operationId": "createTranscription",
  "summary": "Refused: the models read text",
  "requestBody": {"content": {"multipart/form-data":
    {"schema": {"type": "object"}}}},
  "responses": {}}},
"/v1/audio/translations": {"post": {
  "operationId": "createTranslation",
  "summary": "Refused: the models read text",
  "requestBody": {"content": {"multipart/form-data":
    {"schema": {"type": "object"}}}},
  "responses": {}}}
})json";

// Requests, then answers.
constexpr std::string_view kSchemas = R"json({
"OpenAiError": {"type": "object", "required": ["error"], "properties": {
  "error": {"type": "object", "required": ["message", "type", "param", "code"],
    "properties": {
      "message": {"type": "string"},
      "type": {"type": "string"},
      "param": {"type": ["string", "null"]},
      "code": {"type": ["string", "integer", "null"]}}}}},
"Sampling": {"type": "object", "properties": {
  "temperature": {"type": "number", "minimum": 0, "maximum": 1000},
  "top_p": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 1},
  "top_k": {"type": "integer", "minimum": 0},
  "min_p": {"type": "number", "minimum": 0, "maximum": 1},
  "presence_penalty": {"type": "number", "minimum": -100,
    "maximum": 100},
  "frequency_penalty": {"type": "number", "minimum": -100,
    "maximum": 100},
  "repeat_penalty": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 100},
  "repetition_penalty": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 100,
    "description": "Another name of repeat_penalty."},
  "repeat_last_n": {"type": "integer", "minimum": -1},
  "seed": {"type": "integer", "description": "-1: a fresh one."},
  "logit_bias": {"type": "object", "propertyNames": {"pattern": "^[0-9]{1,9}$"},
    "additionalProperties": {"type": "number", "minimum": -100,
      "maximum": 100}},
  "stop": {"anyOf": [{"type": "string"},
    {"type": "array", "items": {"type": "string"}}]},
  "ignore_eos": {"type": "boolean"}}},
"Thinking": {"type": "object", "properties": {
  "reasoning_effort": {"$ref": "Effort"},
  "reasoning": {"type": "object",
    "properties": {"effort": {"$ref": "Effort"}}},
  "chat_template_kwargs": {"type": "object", "properties": {
    "enable_thinking": {"type": "boolean"},
    "preserve_thinking": {"type": "boolean"},
    "thinking_budget": {"type": "integer"}}},
  "thinking_budget_tokens": {"type": "integer", "minimum": -1},
  "thinking_token_budget": {"type": "integer", "minimum": -1}}},
"Effort": {"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max",
  "ultra"]},
"ToolUse": {"type": "object", "properties": {
  "tool_choice": {"anyOf": [
    {"enum": ["none", "auto", "required", "any"]},
    {"type": "object", "properties": {
      "type": {"enum": ["function", "custom", "allowed_tools"]},
      "name": {"type": "string"},
      "function": {"type": "object",
        "properties": {"name": {"type": "string"}}},
      "mode": {"enum": ["auto", "required"]},
      "tools": {"type": "array", "items": {"type": "object"}},
      "allowed_tools": {"type": "object"}}}]},
  "parallel_tool_calls": {"type": "boolean"}}},
"OutputFormat": {"type": "object", "properties": {
  "type": {"enum": ["text", "json_object", "json_schema"]},
  "json_schema": {"type": "object", "required": ["schema"],
    "properties": {"schema": {"type": "object"}}},
  "schema": {"type": "object"}}},
"StreamOptions": {"type": "object",
  "properties": {"include_usage": {"type": "boolean"}}},
"TextPart": {"type": "object", "required": ["text"], "properties": {
  "type": {"enum": ["text", "input_text", "output_text", "summary_text",
    "reasoning_text"]},
  "text": {"type": "string"}}},
"TextContent": {"anyOf": [{"type": "string"},
  {"type": "array", "items": {"$ref": "TextPart"}}]},
"ChatMessage": {"anyOf": [
  {"type": "object", "required": ["role", "content"], "properties": {
    "role": {"enum": ["system", "developer", "user"]},
    "content": {"$ref": "TextContent"}}},
  {"type": "object", "required": ["role"], "properties": {
    "role": {"const": "assistant"},
    "content": {"anyOf": [{"$ref": "TextContent"}, {"type": "null"}]},
    "reasoning_content": {"type": "string"},
    "reasoning": {"type": "string"},
    "refusal": {"type": "string"},
    "tool_calls": {"type": "array", "items": {"$ref": "ChatCall"}},
    "function_call": {"$ref": "ChatFunction"}}},
  {"type": "object", "required": ["role"], "properties": {
    "role": {"enum": ["tool", "function"]},
    "content": {"$ref": "TextContent"},
    "name": {"type": "string"},
    "tool_call_id": {"type": "string"}}}]},
"ChatCall": {"type": "object", "required": ["function"], "properties": {
  "id": {"type": "string"},
  "type": {"const": "function"},
  "function": {"$ref": "ChatFunction"}}},
"ChatFunction": {"type": "object", "required": ["name"], "properties": {
  "name": {"type": "string", "minLength": 1},
  "arguments": {"type": ["string", "object"]}}},
"FunctionTool": {"type": "object", "required": ["name"], "properties": {
  "type": {"enum": ["function", "custom"]},
  "name": {"type": "string", "minLength": 1},
  "description": {"type": "string"},
  "parameters": {"type": "object", "description": "A JSON schema."}}},
"ChatRequest": {"allOf": [{"$ref": "Sampling"}, {"$ref": "Thinking"},
  {"$ref": "ToolUse"},
  {"type": "object", "required": ["messages"], "properties": {
    "model": {"type": "string", "description": "Empty: the default."},
    "messages": {"type": "array", "minItems": 1,
      "items": {"$ref": "ChatMessage"}},
    "stream": {"type": "boolean"},
    "stream_options": {"$ref": "StreamOptions"},
    "n": {"type": "integer", "minimum": 1, "maximum": 16},
    "max_tokens": {"type": "integer", "minimum": -1},
    "max_completion_tokens": {"type": "integer", "minimum": -1},
    "logprobs": {"type": "boolean"},
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "tools": {"type": "array", "items": {"type": "object",
      "required": ["function"], "properties": {
        "type": {"const": "function"},
        "function": {"$ref": "FunctionTool"}}}},
    "response_format": {"$ref": "OutputFormat"},
    "json_schema": {"type": "object"},
    "grammar": {"type": "string", "description": "GBNF."},
    "modalities": {"type": "array", "items": {"const": "text"}},
    "add_generation_prompt": {"type": "boolean"},
    "continue_final_message": {"type": ["boolean", "string"]}}}]},
"CompletionRequest": {"allOf": [{"$ref": "Sampling"},
  {"type": "object", "required": ["prompt"], "properties": {
    "model": {"type": "string", "description": "Empty: the default."},
    "prompt": {"anyOf": [
      {"type": "string", "minLength": 1},
      {"type": "array", "minItems": 1, "maxItems": 16,
        "items": {"type": "string", "minLength": 1}},
      {"type": "array", "minItems": 1, "items": {"$ref": "TokenNumber"}},
      {"type": "array", "minItems": 1, "maxItems": 16, "items":
        {"type": "array", "minItems": 1,
          "items": {"$ref": "TokenNumber"}}}]},
    "n": {"type": "integer", "minimum": 1, "maximum": 16},
    "best_of": {"type": "integer", "description": "Must equal n."},
    "max_tokens": {"type": "integer", "minimum": -1, "default": 16},
    "echo": {"type": "boolean"},
    "logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "stream": {"type": "boolean"},
    "stream_options": {"$ref": "StreamOptions"},
    "response_format": {"$ref": "OutputFormat"},
    "grammar": {"type": "string", "description": "GBNF."}}}]},
"TokenNumber": {"type": "integer", "minimum": 0, "maximum": 2147483647},
"ResponsesRequest": {"allOf": [{"$ref": "Sampling"}, {"$ref": "Thinking"},
  {"$ref": "ToolUse"},
  {"type": "object", "required": ["input"], "properties": {
    "model": {"type": "string", "description": "Empty: the default."},
    "input": {"anyOf": [{"type": "string"},
      {"type": "array", "items": {"$ref": "InputItem"}}]},
    "instructions": {"type": "string"},
    "previous_response_id": {"type": "string"},
    "store": {"type": "boolean", "default": true},
    "stream": {"type": "boolean"},
    "max_output_tokens": {"type": "integer", "minimum": -1},
    "tools": {"type": "array", "items": {"type": "object", "properties": {
      "type": {"type": "string", "description":
        "function, custom or namespace; hosted tools are left out."},
      "name": {"type": "string"},
      "description": {"type": "string"},
      "parameters": {"type": "object"},
      "tools": {"type": "array", "items": {"$ref": "FunctionTool"}}}}},
    "text": {"type": "object",
      "properties": {"format": {"$ref": "OutputFormat"}}},
    "include": {"type": "array", "items": {"type": "string"}},
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "background": {"const": false}}}]},
"InputItem": {"type": "object", "properties": {
  "type": {"enum": ["message", "function_call", "function_call_output",
    "custom_tool_call", "custom_tool_call_output", "reasoning",
    "item_reference", "web_search_call", "file_search_call", "computer_call",
    "computer_call_output", "code_interpreter_call", "image_generation_call",
    "local_shell_call", "local_shell_call_output", "shell_call",
    "shell_call_output", "apply_patch_call", "apply_patch_call_output",
    "mcp_list_tools", "mcp_approval_request", "mcp_approval_response",
    "mcp_call", "tool_search_call", "tool_search_output", "compaction"],
    "description": "Items of hosted tools are skipped."},
  "id": {"type": "string"},
  "role": {"enum": ["user", "assistant", "system", "developer"]},
  "content": {"$ref": "TextContent"},
  "summary": {"type": "array", "items": {"$ref": "TextPart"}},
  "call_id": {"type": "string"},
  "name": {"type": "string"},
  "namespace": {"type": "string"},
  "arguments": {"type": "string"},
  "input": {"type": "string"},
  "output": {"$ref": "TextContent"}}},

"ChatCompletion": {"type": "object",
  "required": ["id", "object", "created", "model", "choices", "usage"],
  "properties": {
    "id": {"type": "string"},
    "object": {"const": "chat.completion"},
    "created": {"type": "integer"},
    "model": {"type": "string"},
    "system_fingerprint": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object",
      "required": ["index", "message", "logprobs", "finish_reason"],
      "properties": {
        "index": {"type": "integer"},
        "message": {"type": "object", "required": ["role", "content"],
          "properties": {
            "role": {"const": "assistant"},
            "content": {"type": ["string", "null"]},
            "refusal": {"type": "null"},
            "reasoning_content": {"type": "string"},
            "reasoning": {"type": "string"},
            "tool_calls": {"type": "array",
              "items": {"$ref": "ChatCall"}}}},
        "logprobs": {"anyOf": [{"$ref": "ChatLogprobs"},
          {"type": "null"}]},
        "finish_reason": {"$ref": "ChatFinish"}}}},
    "usage": {"$ref": "ChatUsage"}}},
"ChatChunk": {"type": "object",
  "required": ["id", "object", "created", "model", "choices"],
  "properties": {
    "id": {"type": "string"},
    "object": {"const": "chat.completion.chunk"},
    "created": {"type": "integer"},
    "model": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object",
      "required": ["index", "delta", "finish_reason"],
      "properties": {
        "index": {"type": "integer"},
        "delta": {"type": "object"},
        "finish_reason": {"anyOf": [{"$ref": "ChatFinish"},
          {"type": "null"}]}}}},
    "usage": {"anyOf": [{"$ref": "ChatUsage"}, {"type": "null"}]}}},
"ChatFinish": {"enum": ["stop", "length", "tool_calls"]},
"ChatUsage": {"type": "object",
  "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
  "properties": {
    "prompt_tokens": {"type": "integer"},
    "completion_tokens": {"type": "integer"},
    "total_tokens": {"type": "integer"},
    "prompt_tokens_details": {"type": "object",
      "required": ["cached_tokens"],
      "properties": {"cached_tokens": {"type": "integer"}}},
    "completion_tokens_details": {"type": "object",
      "properties": {"reasoning_tokens": {"type": "integer"}}}}},
"ChatLogprobs": {"type": "object", "required": ["content"], "properties": {
  "content": {"type": "array", "items": {"allOf": [{"$ref": "ChatLogprob"},
    {"type": "object", "required": ["top_logprobs"], "properties":
      {"top_logprobs": {"type": "array",
        "items": {"$ref": "ChatLogprob"}}}}]}}}},
"ChatLogprob": {"type": "object", "required": ["token", "logprob", "bytes"],
  "properties": {
    "token": {"type": "string"},
    "logprob": {"type": ["number", "null"]},
    "bytes": {"type": "array", "items": {"type": "integer"}}}},
"Completion": {"type": "object",
  "required": ["id", "object", "created", "model", "choices", "usage"],
  "properties": {
    "id": {"type": "string"},
    "object": {"const": "text_completion"},
    "created": {"type": "integer"},
    "model": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object",
      "required": ["index", "text", "logprobs", "finish_reason"],
      "properties": {
        "index": {"type": "integer"},
        "text": {"type": "string"},
        "logprobs": {"type": ["object", "null"]},
        "finish_reason": {"$ref": "ChatFinish"}}}},
    "usage": {"$ref": "ChatUsage"}}},
"Response": {"type": "object",
  "required": ["id", "object", "created_at", "status", "model", "output"],
  "properties": {
    "id": {"type": "string"},
    "object": {"const": "response"},
    "created_at": {"type": "integer"},
    "completed_at": {"type": ["integer", "null"]},
    "status": {"enum": ["in_progress", "completed", "incomplete", "failed"]},
    "error": {"type": ["object", "null"]},
    "incomplete_details": {"type": ["object", "null"]},
    "model": {"type": "string"},
    "output": {"type": "array", "items": {"type": "object",
      "required": ["id", "type"], "properties": {
        "id": {"type": "string"},
        "type": {"enum": ["message", "reasoning", "function_call",
          "custom_tool_call"]},
        "status": {"type": "string"},
        "content": {"type": "array"},
        "summary": {"type": "array"},
        "call_id": {"type": "string"},
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "arguments": {"type": "string"},
        "input": {"type": "string"}}}},
    "usage": {"type": ["object", "null"]}}},
"TokenCount": {"type": "object", "required": ["object", "input_tokens"],
  "properties": {
    "object": {"const": "response.input_tokens"},
    "input_tokens": {"type": "integer"}}},
"ModelList": {"type": "object",
  "required": ["object", "data", "has_more", "first_id", "last_id", "models"],
  "properties": {
    "object": {"const": "list"},
    "data": {"type": "array", "items": {"$ref": "ModelEntry"}},
    "has_more": {"const": false},
    "first_id": {"type": ["string", "null"]},
    "last_id": {"type": ["string", "null"]},
    "models": {"type": "array", "items": {"$ref": "ModelEntry"}}}},
"ModelEntry": {"type": "object",
  "required": ["id", "object", "created", "owned_by", "type", "display_name",
    "created_at", "name", "displayName"],
  "properties": {
    "id": {"type": "string"},
    "object": {"const": "model"},
    "created": {"type": "integer"},
    "owned_by": {"type": "string"},
    "type": {"const": "model"},
    "display_name": {"type": "string"},
    "created_at": {"type": "string", "format": "date-time"},
    "name": {"type": "string"},
    "displayName": {"type": "string"},
    "context_length": {"type": "integer"},
    "max_model_len": {"type": "integer"},
    "max_context_length": {"type": "integer"},
    "max_input_tokens": {"type": "integer"},
    "inputTokenLimit": {"type": "integer"},
    "meta": {"type": "object", "properties": {
      "n_ctx": {"type": "integer"},
      "n_ctx_train": {"type": "integer"},
      "size": {"type": "integer"}}}}}
})json";

}  // namespace

OpenApiShare OpenAiApi() {
  return {.tag = "OpenAI",
          .description = "For OpenAI's clients: the base URL ends with /v1.",
          .error_schema = "OpenAiError",
          .paths = kPaths,
          .schemas = kSchemas,
          .routes = OpenAiRoutes()};
}

}  // namespace carat
