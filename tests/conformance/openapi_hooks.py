"""Turns generated requests into ones that reach the model.

Left alone nearly all of them end at an unknown model, a tool's result that
answers no call or a picture that is none, and the rest generates until the
context is full.
"""

import os

import schemathesis

MODEL = os.environ["CARAT_MODEL"]
TOKENS = 3
LIMITS = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
    "/v1/messages": "max_tokens",
}
NAMED = ("/v1/", "/api/chat", "/api/generate", "/api/show", "/tokenize",
         "/detokenize", "/apply-template", "/v1beta/interactions")
UNLIKELY = ("images", "grammar", "format", "tools", "tool_choice",
            "logit_bias", "previous_interaction_id", "previous_response_id",
            "cachedContent", "raw", "context", "keep_alive")
HELLO = [{"parts": [{"text": "Hello"}]}]


def inside(body, name):
    """The object `name` of the body, made if it is none."""
    if not isinstance(body.get(name), dict):
        body[name] = {}
    return body[name]


def calm(body):
    """Every second body (by its shape) without what seldom fits."""
    if len(body) % 2:
        for name in UNLIKELY:
            body.pop(name, None)
    for message in body.get("messages") or []:
        if isinstance(message, dict) and message.get("role") in (
                "tool", "function"):
            message.update(role="user", content="x")


@schemathesis.hook
def map_body(context, body):
    path = context.operation.path
    if not isinstance(body, dict):
        return body
    calm(body)
    if path.startswith(NAMED):
        body["model"] = MODEL
    if path in LIMITS:
        body[LIMITS[path]] = TOKENS
    elif path in ("/api/chat", "/api/generate"):
        inside(body, "options")["num_predict"] = TOKENS
    elif path == "/v1beta/interactions":
        inside(body, "generation_config")["max_output_tokens"] = TOKENS
        if not isinstance(body.get("input"), str):
            body["input"] = "Hello"
    elif path.endswith("enerateContent"):
        inside(body, "generationConfig")["maxOutputTokens"] = TOKENS
        body.setdefault("contents", HELLO)
    elif path == "/v1beta/cachedContents":
        body.update(model="models/" + MODEL, ttl="60s")
        body.pop("expireTime", None)
        body.setdefault("contents", HELLO)
    return body


@schemathesis.hook
def map_path_parameters(context, parameters):
    if parameters and context.operation.path.startswith("/v1beta/models/{id}"):
        parameters["id"] = MODEL
    return parameters
