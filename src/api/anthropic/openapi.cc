// Anthropic's share of the OpenAPI document.
#include "api/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kPaths = R"json({
"/v1/messages": {"post": {
  "operationId": "createMessage",
  "summary": "Answers a conversation",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "MessagesRequest"}}}},
  "responses": {"200": {"description":
    "The answer; with stream, events named as their type.",
    "content": {
      "application/json": {"schema": {"$ref": "AnthropicMessage"}},
      "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1/messages/count_tokens": {"post": {
  "operationId": "countMessageTokens",
  "summary": "Counts the tokens of a conversation's prompt",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "MessagesRequest"}}}},
  "responses": {"200": {"description": "The count.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["input_tokens"],
      "properties": {"input_tokens": {"type": "integer"}}}}}}}}}
})json";

constexpr std::string_view kSchemas = R"json({
"AnthropicError": {"type": "object", "required": ["type", "error"],
  "properties": {
    "type": {"const": "error"},
    "error": {"type": "object", "required": ["type", "message"],
      "properties": {
        "type": {"type": "string"},
        "message": {"type": "string"}}},
    "request_id": {"type": "string"}}},
"MessagesRequest": {"type": "object", "required": ["messages"],
  "properties": {
    "model": {"type": "string", "description": "Empty: the default."},
    "system": {"anyOf": [{"type": "string"},
      {"type": "array", "items": {"$ref": "TextBlock"}}]},
    "messages": {"type": "array", "minItems": 1, "items": {"anyOf": [
      {"type": "object", "required": ["role", "content"], "properties": {
        "role": {"enum": ["user", "system"]},
        "content": {"anyOf": [{"type": "string"},
          {"type": "array", "items": {"$ref": "UserBlock"}}]}}},
      {"type": "object", "required": ["role", "content"], "properties": {
        "role": {"const": "assistant"},
        "content": {"anyOf": [{"type": "string"},
          {"type": "array", "items": {"$ref": "AssistantBlock"}}]}}}]}},
    "max_tokens": {"type": "integer", "minimum": 1},
    "stream": {"type": "boolean"},
    "stop_sequences": {"type": "array", "items": {"type": "string"}},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1000},
    "top_p": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 1},
    "top_k": {"type": "integer", "minimum": 0},
    "seed": {"type": "integer"},
    "tools": {"type": "array", "items": {"type": "object",
      "required": ["name"], "properties": {
        "type": {"const": "custom"},
        "name": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "input_schema": {"type": "object"}}}},
    "tool_choice": {"type": "object", "required": ["type"], "properties": {
      "type": {"enum": ["auto", "any", "tool", "none"]},
      "name": {"type": "string"},
      "disable_parallel_tool_use": {"type": "boolean"}}},
    "thinking": {"type": "object", "required": ["type"], "properties": {
      "type": {"enum": ["enabled", "adaptive", "between_tools", "disabled"]},
      "budget_tokens": {"type": "integer", "minimum": 1},
      "display": {"type": "string"}}},
    "output_config": {"type": "object", "properties": {
      "effort": {"enum": ["low", "medium", "high", "xhigh", "max"]},
      "format": {"$ref": "AnthropicFormat"}}},
    "output_format": {"$ref": "AnthropicFormat"},
    "mcp_servers": {"type": "array", "maxItems": 0}}},
"AnthropicFormat": {"type": "object", "required": ["type", "schema"],
  "properties": {
    "type": {"const": "json_schema"},
    "schema": {"type": "object"}}},
"TextBlock": {"type": "object", "required": ["type", "text"], "properties": {
  "type": {"const": "text"},
  "text": {"type": "string"}}},
"DocumentBlock": {"type": "object", "required": ["type", "source"],
  "properties": {
    "type": {"const": "document"},
    "title": {"type": "string"},
    "source": {"type": "object", "required": ["type", "data"],
      "properties": {
        "type": {"const": "text"},
        "data": {"type": "string"}}}}},
"UserBlock": {"anyOf": [{"$ref": "TextBlock"}, {"$ref": "DocumentBlock"},
  {"type": "object", "required": ["type", "tool_use_id"], "properties": {
    "type": {"const": "tool_result"},
    "tool_use_id": {"type": "string", "minLength": 1},
    "is_error": {"type": "boolean"},
    "content": {"anyOf": [{"type": "string"},
      {"type": "array", "items": {"$ref": "TextBlock"}}]}}}]},
"AssistantBlock": {"anyOf": [{"$ref": "TextBlock"},
  {"type": "object", "required": ["type", "name"], "properties": {
    "type": {"const": "tool_use"},
    "id": {"type": "string"},
    "name": {"type": "string", "minLength": 1},
    "input": {"type": "object"}}},
  {"type": "object", "required": ["type"], "properties": {
    "type": {"enum": ["thinking", "redacted_thinking"]},
    "thinking": {"type": "string"},
    "signature": {"type": "string"}}}]},

"AnthropicMessage": {"type": "object",
  "required": ["id", "type", "role", "model", "content", "stop_reason",
    "stop_sequence", "usage"],
  "properties": {
    "id": {"type": "string"},
    "type": {"const": "message"},
    "role": {"const": "assistant"},
    "model": {"type": "string"},
    "content": {"type": "array", "items": {"type": "object",
      "required": ["type"], "properties": {
        "type": {"enum": ["text", "thinking", "tool_use"]},
        "text": {"type": "string"},
        "thinking": {"type": "string"},
        "signature": {"type": "string"},
        "id": {"type": "string"},
        "name": {"type": "string"},
        "input": {"type": "object"}}}},
    "stop_reason": {"enum": ["end_turn", "stop_sequence", "tool_use",
      "max_tokens", "model_context_window_exceeded"]},
    "stop_sequence": {"type": ["string", "null"]},
    "usage": {"type": "object", "required": ["input_tokens",
      "cache_creation_input_tokens", "cache_read_input_tokens",
      "output_tokens"],
      "properties": {
        "input_tokens": {"type": "integer"},
        "cache_creation_input_tokens": {"type": "integer"},
        "cache_read_input_tokens": {"type": "integer"},
        "output_tokens": {"type": "integer"},
        "output_tokens_details": {"type": "object", "properties":
          {"thinking_tokens": {"type": "integer"}}}}}}}
})json";

}  // namespace

OpenApiShare AnthropicApi() {
  return {.tag = "Anthropic",
          .description =
              "For Anthropic's clients, with any "
              "anthropic-version.",
          .error_schema = "AnthropicError",
          .paths = kPaths,
          .schemas = kSchemas,
          .routes = AnthropicRoutes()};
}

}  // namespace carat
