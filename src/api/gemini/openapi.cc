// Gemini's share of the OpenAPI document. Readers take members in camel and in
// snake case; here they stand in camel case.
#include "api/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kPaths = R"json({
"/v1beta/models": {"get": {
  "operationId": "geminiListModels", "summary": "The models on this machine",
  "parameters": [
    {"name": "pageSize", "in": "query", "schema": {"type": "integer"}},
    {"name": "pageToken", "in": "query", "schema": {"type": "string"}}],
  "responses": {"200": {"description": "A page of them.", "content":
    {"application/json": {"schema": {"type": "object",
      "required": ["models"], "properties": {
        "models": {"type": "array", "items": {"$ref": "GeminiModel"}},
        "nextPageToken": {"type": "string"}}}}}}}}},
"/v1beta/models/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "geminiGetModel", "summary": "One model",
    "responses": {"200": {"description": "The model.", "content":
      {"application/json": {"schema": {"$ref": "GeminiModel"}}}}}}},
"/v1beta/models/{id}:generateContent": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "generateContent", "summary": "Answers a conversation",
    "requestBody": {"required": true, "content": {"application/json":
      {"schema": {"$ref": "GenerateContentRequest"}}}},
    "responses": {"200": {"description": "The answer.", "content":
      {"application/json": {"schema": {"$ref": "GeminiAnswer"}}}}}}},
"/v1beta/models/{id}:streamGenerateContent": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}},
    {"name": "alt", "in": "query", "description":
      "sse: events; otherwise an array that grows.",
      "schema": {"enum": ["sse", "json"]}}],
  "post": {
    "operationId": "streamGenerateContent",
    "summary": "Answers a conversation piece by piece",
    "requestBody": {"required": true, "content": {"application/json":
      {"schema": {"$ref": "GenerateContentRequest"}}}},
    "responses": {"200": {"description":
      "Pieces of the shape of GeminiAnswer.", "content": {
        "application/json": {"schema": {"type": "array",
          "items": {"$ref": "GeminiAnswer"}}},
        "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1beta/models/{id}:countTokens": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "geminiCountTokens",
    "summary": "Counts the tokens of a prompt",
    "requestBody": {"required": true, "content": {"application/json":
      {"schema": {"anyOf": [{"$ref": "GenerateContentRequest"},
        {"type": "object", "required": ["generateContentRequest"],
          "properties": {"generateContentRequest":
            {"$ref": "GenerateContentRequest"}}}]}}}},
    "responses": {"200": {"description": "The count.", "content":
      {"application/json": {"schema": {"type": "object",
        "required": ["totalTokens", "promptTokensDetails"], "properties": {
          "totalTokens": {"type": "integer"},
          "promptTokensDetails": {"type": "array",
            "items": {"type": "object"}}}}}}}}}},
"/v1beta/models/{id}:embedContent": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "geminiEmbedContent",
    "summary": "Refused: the models are generative",
    "requestBody": {"content": {"application/json":
      {"schema": {"type": "object"}}}},
    "responses": {}}},
"/v1beta/models/{id}:batchEmbedContents": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "geminiBatchEmbedContents",
    "summary": "Refused: the models are generative",
    "requestBody": {"content": {"application/json":
      {"schema": {"type": "object"}}}},
    "responses": {}}},
"/v1beta/models/{id}:predict": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "geminiPredict",
    "summary": "Refused: the models are generative",
    "requestBody": {"content": {"application/json":
      {"schema": {"type": "object"}}}},
    "responses": {}}},
"/v1beta/cachedContents": {
  "get": {
    "operationId": "geminiListCaches", "summary": "The caller's prefixes",
    "responses": {"200": {"description": "All of them.", "content":
      {"application/json": {"schema": {"type": "object",
        "required": ["cachedContents"], "properties": {
          "cachedContents": {"type": "array",
            "items": {"$ref": "CachedContent"}}}}}}}}},
  "post": {
    "operationId": "geminiCreateCache",
    "summary": "Keeps the beginning of prompts",
    "requestBody": {"required": true, "content": {"application/json":
      {"schema": {"type": "object", "required": ["model"], "properties": {
        "model": {"type": "string", "minLength": 1},
        "displayName": {"type": "string"},
        "ttl": {"type": "string", "description": "As 300s; at most 7 days."},
        "expireTime": {"type": "string", "format": "date-time"},
        "contents": {"$ref": "GeminiContents"},
        "systemInstruction": {"$ref": "GeminiContent"},
        "tools": {"$ref": "GeminiTools"},
        "toolConfig": {"$ref": "GeminiToolConfig"}}}}}},
    "responses": {"200": {"description": "What is kept.", "content":
      {"application/json": {"schema": {"$ref": "CachedContent"}}}}}}},
"/v1beta/cachedContents/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "geminiGetCache", "summary": "A kept prefix",
    "responses": {"200": {"description": "The prefix.", "content":
      {"application/json": {"schema": {"$ref": "CachedContent"}}}}}},
  "patch": {
    "operationId": "geminiPatchCache", "summary": "Keeps it until then",
    "requestBody": {"required": true, "content": {"application/json":
      {"schema": {"type": "object", "properties": {
        "ttl": {"type": "string"},
        "expireTime": {"type": "string", "format": "date-time"}}}}}},
    "responses": {"200": {"description": "The prefix.", "content":
      {"application/json": {"schema": {"$ref": "CachedContent"}}}}}},
  "delete": {
    "operationId": "geminiDeleteCache", "summary": "Forgets a prefix",
    "responses": {"200": {"description": "It is gone.", "content":
      {"application/json": {"schema": {"type": "object"}}}}}}},
"/upload/v1beta/files": {
  "parameters": [
    {"name": "x-goog-upload-command", "in": "header", "required": true,
      "schema": {"enum": ["start", "upload", "finalize", "upload, finalize",
        "query", "cancel"]}},
    {"name": "x-goog-upload-protocol", "in": "header",
      "schema": {"const": "resumable"}},
    {"name": "x-goog-upload-offset", "in": "header",
      "schema": {"type": "string"}},
    {"name": "x-goog-upload-header-content-length", "in": "header",
      "schema": {"type": "string"}},
    {"name": "x-goog-upload-header-content-type", "in": "header",
      "schema": {"type": "string"}},
    {"name": "upload_id", "in": "query", "description": "Not with start.",
      "schema": {"type": "string"}}],
  "post": {
    "operationId": "geminiUpload", "summary": "A step of a resumable upload",
    "requestBody": {"content": {
      "application/json": {"schema": {"$ref": "UploadStart"}},
      "application/octet-stream": {"schema": {"type": "string",
        "format": "binary"}}}},
    "responses": {"200": {"description":
      "Where to go on, how far it is, or the file.", "content":
      {"application/json": {"schema": {"$ref": "UploadAnswer"}}}}}},
  "put": {
    "operationId": "geminiUploadPut", "summary": "A step of an upload",
    "requestBody": {"content": {"application/octet-stream":
      {"schema": {"type": "string", "format": "binary"}}}},
    "responses": {"200": {"description":
      "Where to go on, how far it is, or the file.", "content":
      {"application/json": {"schema": {"$ref": "UploadAnswer"}}}}}}},
"/v1beta/files": {"get": {
  "operationId": "geminiListFiles", "summary": "The caller's files",
  "responses": {"200": {"description": "All of them.", "content":
    {"application/json": {"schema": {"type": "object", "required": ["files"],
      "properties": {"files": {"type": "array",
        "items": {"$ref": "GeminiFile"}}}}}}}}}},
"/v1beta/files/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "geminiGetFile", "summary": "About a file",
    "responses": {"200": {"description": "The file.", "content":
      {"application/json": {"schema": {"$ref": "GeminiFile"}}}}}},
  "delete": {
    "operationId": "geminiDeleteFile", "summary": "Deletes a file",
    "responses": {"200": {"description": "It is gone.", "content":
      {"application/json": {"schema": {"type": "object"}}}}}}},
"/v1beta/files/{id}:download": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "geminiDownloadFile", "summary": "A file's bytes",
    "responses": {"200": {"description": "The bytes.", "content":
      {"application/octet-stream": {"schema": {"type": "string",
        "format": "binary"}}}}}}},
"/v1beta/interactions": {"post": {
  "operationId": "createInteraction",
  "summary": "Answers, and keeps the answer for 24 hours",
  "requestBody": {"required": true, "content": {"application/json":
    {"schema": {"$ref": "InteractionRequest"}}}},
  "responses": {"200": {"description":
    "The answer; with stream, events named as their event_type.",
    "content": {
      "application/json": {"schema": {"$ref": "Interaction"}},
      "text/event-stream": {"schema": {"$ref": "ServerSentEvent"}}}}}}},
"/v1beta/interactions/{id}": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "get": {
    "operationId": "getInteraction", "summary": "A kept answer",
    "parameters": [
      {"name": "include_input", "in": "query",
        "schema": {"type": "boolean"}},
      {"name": "stream", "in": "query", "description": "true is refused.",
        "schema": {"type": "boolean"}}],
    "responses": {"200": {"description": "The answer.", "content":
      {"application/json": {"schema": {"$ref": "Interaction"}}}}}},
  "delete": {
    "operationId": "deleteInteraction", "summary": "Forgets a kept answer",
    "responses": {"200": {"description": "It is gone.", "content":
      {"application/json": {"schema": {"type": "object"}}}}}}},
"/v1beta/interactions/{id}/cancel": {
  "parameters": [{"name": "id", "in": "path", "required": true,
    "schema": {"type": "string"}}],
  "post": {
    "operationId": "cancelInteraction",
    "summary": "Refused: what is kept is complete",
    "responses": {}}}
})json";

// Requests, then answers.
constexpr std::string_view kSchemas = R"json({
"GeminiError": {"type": "object", "required": ["error"], "properties": {
  "error": {"type": "object", "required": ["message"], "properties": {
    "code": {"type": ["integer", "string"],
      "description": "A word for interactions."},
    "message": {"type": "string"},
    "status": {"type": "string"}}}}},
"GeminiPart": {"type": "object", "properties": {
  "text": {"type": "string"},
  "thought": {"type": "boolean"},
  "thoughtSignature": {"type": "string"},
  "inlineData": {"type": "object", "required": ["mimeType", "data"],
    "properties": {
      "mimeType": {"type": "string", "minLength": 1},
      "data": {"type": "string", "contentEncoding": "base64"}}},
  "fileData": {"type": "object", "required": ["fileUri"], "properties": {
    "fileUri": {"type": "string", "minLength": 1},
    "mimeType": {"type": "string"}}},
  "functionCall": {"type": "object", "required": ["name"], "properties": {
    "id": {"type": "string"},
    "name": {"type": "string", "minLength": 1},
    "args": {"type": "object"}}},
  "functionResponse": {"type": "object", "required": ["name"],
    "properties": {
      "id": {"type": "string"},
      "name": {"type": "string", "minLength": 1},
      "response": {"type": "object"}}},
  "mediaResolution": {"type": "object", "properties": {
    "level": {"type": "string"},
    "numTokens": {"type": "integer", "minimum": 1, "maximum": 100000}}},
  "videoMetadata": {"type": "object", "properties": {
    "fps": {"type": "number"},
    "startOffset": {"type": "string"},
    "endOffset": {"type": "string"}}}}},
"GeminiContent": {"anyOf": [{"type": "string"},
  {"type": "object", "properties": {
    "role": {"enum": ["user", "model", "function"]},
    "parts": {"anyOf": [{"$ref": "GeminiPart"},
      {"type": "array", "items": {"$ref": "GeminiPart"}}]}}}]},
"GeminiContents": {"anyOf": [{"$ref": "GeminiContent"},
  {"type": "array", "items": {"$ref": "GeminiContent"}}]},
"GeminiTools": {"type": "array", "items": {"type": "object", "properties": {
  "functionDeclarations": {"type": "array", "items": {"type": "object",
    "required": ["name"], "properties": {
      "name": {"type": "string", "minLength": 1},
      "description": {"type": "string"},
      "parameters": {"type": "object"},
      "parametersJsonSchema": {"type": "object"},
      "response": {"type": "object"},
      "responseJsonSchema": {"type": "object"}}}}}}},
"GeminiToolConfig": {"type": "object", "properties": {
  "functionCallingConfig": {"type": "object", "properties": {
    "mode": {"enum": ["AUTO", "ANY", "NONE", "VALIDATED",
      "MODE_UNSPECIFIED"]},
    "allowedFunctionNames": {"type": "array",
      "items": {"type": "string"}}}}}},
"GenerateContentRequest": {"type": "object", "properties": {
  "contents": {"$ref": "GeminiContents"},
  "systemInstruction": {"$ref": "GeminiContent"},
  "tools": {"$ref": "GeminiTools"},
  "toolConfig": {"$ref": "GeminiToolConfig"},
  "cachedContent": {"type": "string"},
  "generationConfig": {"type": "object", "properties": {
    "temperature": {"type": "number", "minimum": 0, "maximum": 1000},
    "topP": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 1},
    "topK": {"type": "integer", "minimum": 0},
    "presencePenalty": {"type": "number", "minimum": -100,
    "maximum": 100},
    "frequencyPenalty": {"type": "number", "minimum": -100,
    "maximum": 100},
    "seed": {"type": "integer"},
    "maxOutputTokens": {"type": "integer", "minimum": 1},
    "candidateCount": {"type": "integer", "minimum": 1, "maximum": 8},
    "stopSequences": {"type": "array", "items": {"type": "string"}},
    "responseLogprobs": {"type": "boolean"},
    "logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "responseMimeType": {"enum": ["text/plain", "application/json",
      "text/x.enum"]},
    "responseSchema": {"type": "object"},
    "responseJsonSchema": {"type": "object"},
    "responseModalities": {"type": "array", "items":
      {"enum": ["TEXT", "MODALITY_UNSPECIFIED"]}},
    "thinkingConfig": {"type": "object", "properties": {
      "includeThoughts": {"type": "boolean"},
      "thinkingBudget": {"type": "integer", "minimum": -1},
      "thinkingLevel": {"enum": ["MINIMAL", "LOW", "MEDIUM", "HIGH",
        "THINKING_LEVEL_UNSPECIFIED"]}}}}}}},
"UploadStart": {"type": "object", "properties": {
  "file": {"type": "object", "properties": {
    "mimeType": {"type": "string"},
    "displayName": {"type": "string"},
    "sizeBytes": {"type": ["integer", "string"]}}}}},
"InteractionRequest": {"type": "object", "required": ["model", "input"],
  "properties": {
    "model": {"type": "string", "minLength": 1},
    "input": {"anyOf": [{"type": "string"},
      {"type": "object"},
      {"type": "array", "items": {"type": "object"}}],
      "description": "A text, contents or steps."},
    "system_instruction": {"type": "string"},
    "previous_interaction_id": {"type": "string"},
    "store": {"type": "boolean", "default": true},
    "stream": {"type": "boolean"},
    "background": {"const": false},
    "tools": {"type": "array", "items": {"type": "object",
      "required": ["type", "name"], "properties": {
        "type": {"const": "function"},
        "name": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "parameters": {"type": "object"}}}},
    "generation_config": {"type": "object", "properties": {
      "temperature": {"type": "number", "minimum": 0, "maximum": 1000},
      "top_p": {"type": "number", "exclusiveMinimum": 0,
    "maximum": 1},
      "seed": {"type": "integer"},
      "max_output_tokens": {"type": "integer", "minimum": 1},
      "stop_sequences": {"type": "array", "items": {"type": "string"}},
      "thinking_level": {"enum": ["minimal", "low", "medium", "high"]},
      "thinking_summaries": {"enum": ["auto", "none"]},
      "tool_choice": {"anyOf": [
        {"enum": ["auto", "any", "none", "validated"]},
        {"type": "object", "required": ["allowed_tools"], "properties": {
          "allowed_tools": {"type": "object", "properties": {
            "mode": {"enum": ["auto", "any", "none", "validated"]},
            "tools": {"type": "array",
              "items": {"type": "string"}}}}}}]}}},
    "response_format": {"type": ["object", "array"]},
    "response_mime_type": {"enum": ["text/plain", "application/json"]},
    "response_modalities": {"type": "array",
      "items": {"enum": ["text", "TEXT"]}}}},

"GeminiAnswer": {"type": "object",
  "required": ["candidates", "modelVersion", "responseId"], "properties": {
    "candidates": {"type": "array", "items": {"type": "object",
      "required": ["content", "index"], "properties": {
        "content": {"type": "object", "required": ["parts", "role"],
          "properties": {
            "role": {"const": "model"},
            "parts": {"type": "array", "minItems": 1,
              "items": {"$ref": "GeminiPart"}}}},
        "finishReason": {"enum": ["STOP", "MAX_TOKENS",
          "MALFORMED_FUNCTION_CALL", "OTHER"]},
        "finishMessage": {"type": "string"},
        "index": {"type": "integer"},
        "avgLogprobs": {"type": ["number", "null"]},
        "logprobsResult": {"type": "object"}}}},
    "usageMetadata": {"type": "object",
      "required": ["promptTokenCount", "candidatesTokenCount",
        "totalTokenCount"],
      "properties": {
        "promptTokenCount": {"type": "integer"},
        "cachedContentTokenCount": {"type": "integer"},
        "candidatesTokenCount": {"type": "integer"},
        "thoughtsTokenCount": {"type": "integer"},
        "totalTokenCount": {"type": "integer"}}},
    "modelVersion": {"type": "string"},
    "responseId": {"type": "string"}}},
"GeminiModel": {"type": "object",
  "required": ["name", "version", "displayName"], "properties": {
    "name": {"type": "string", "pattern": "^models/"},
    "version": {"type": "string"},
    "displayName": {"type": "string"},
    "description": {"type": "string"},
    "inputTokenLimit": {"type": "integer"},
    "outputTokenLimit": {"type": "integer"},
    "supportedGenerationMethods": {"type": "array",
      "items": {"type": "string"}},
    "thinking": {"type": "boolean"},
    "temperature": {"type": "number"},
    "maxTemperature": {"type": "number"},
    "topP": {"type": "number"},
    "topK": {"type": "integer"}}},
"CachedContent": {"type": "object",
  "required": ["name", "model", "createTime", "updateTime", "expireTime",
    "usageMetadata"],
  "properties": {
    "name": {"type": "string", "pattern": "^cachedContents/"},
    "model": {"type": "string"},
    "displayName": {"type": "string"},
    "createTime": {"type": "string", "format": "date-time"},
    "updateTime": {"type": "string", "format": "date-time"},
    "expireTime": {"type": "string", "format": "date-time"},
    "usageMetadata": {"type": "object", "required": ["totalTokenCount"],
      "properties": {"totalTokenCount": {"type": "integer"}}}}},
"GeminiFile": {"type": "object",
  "required": ["name", "mimeType", "sizeBytes", "uri", "state"],
  "properties": {
    "name": {"type": "string", "pattern": "^files/"},
    "displayName": {"type": "string"},
    "mimeType": {"type": "string"},
    "sizeBytes": {"type": "string"},
    "createTime": {"type": "string", "format": "date-time"},
    "updateTime": {"type": "string", "format": "date-time"},
    "expirationTime": {"type": "string", "format": "date-time"},
    "sha256Hash": {"type": "string"},
    "uri": {"type": "string"},
    "downloadUri": {"type": "string"},
    "state": {"const": "ACTIVE"},
    "source": {"const": "UPLOADED"}}},
"UploadAnswer": {"type": "object", "properties":
  {"file": {"$ref": "GeminiFile"}}},
"Interaction": {"type": "object",
  "required": ["id", "model", "status", "created", "updated", "steps",
    "usage"],
  "properties": {
    "id": {"type": "string"},
    "model": {"type": "string"},
    "status": {"enum": ["completed", "requires_action", "incomplete",
      "cancelled", "failed"]},
    "created": {"type": "string", "format": "date-time"},
    "updated": {"type": "string", "format": "date-time"},
    "previous_interaction_id": {"type": "string"},
    "steps": {"type": "array", "items": {"type": "object",
      "required": ["type"], "properties": {"type": {"type": "string"}}}},
    "usage": {"type": "object", "required": ["total_tokens"],
      "additionalProperties": {"type": "integer"}}}}
})json";

}  // namespace

OpenApiShare GeminiApi() {
  return {.tag = "Gemini",
          .description =
              "For Google's clients: the base URL is this server. The same "
              "paths exist under v1, v1alpha and v1beta1, with or without "
              "projects/P/locations/L and publishers/google before the "
              "resource, as Vertex writes them; tunedModels are models.",
          .error_schema = "GeminiError",
          .paths = kPaths,
          .schemas = kSchemas,
          .routes = GeminiRoutes()};
}

}  // namespace carat
