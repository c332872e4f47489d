"""The google-genai package."""

import io
import json

from google import genai
from google.genai import errors, types

from harness import (DIM_SCHEMA, MODEL, URL, check, check_dim, check_tools,
                     finish)

client = genai.Client(api_key="none", http_options={"base_url": URL})
SHORT = {"seed": 1, "max_output_tokens": 16}
DIM = types.FunctionDeclaration(name="dim", description="Dims a lamp",
                                parameters_json_schema=DIM_SCHEMA)
FORCED = {"seed": 1, "max_output_tokens": 400,
          "tools": [types.Tool(function_declarations=[DIM])],
          "automatic_function_calling": {"disable": True}}


@check
def content_and_stream():
    whole = client.models.generate_content(model=MODEL, contents="hi",
                                           config=SHORT)
    text = "".join(chunk.text or "" for chunk in
                   client.models.generate_content_stream(
                       model=MODEL, contents="hi", config=SHORT))
    assert text == (whole.text or ""), (text, whole.text)
    assert whole.usage_metadata.total_token_count > 0


@check
def a_chat_keeps_streamed_turns():
    chat = client.chats.create(model=MODEL, config={
        **SHORT, "system_instruction": "Be brief."})
    for _ in chat.send_message_stream("one"):
        pass
    assert any(c.role == "model" for c in chat.get_history(curated=True))
    answer = chat.send_message("two")
    assert answer.usage_metadata.prompt_token_count > 20


@check
def structured_output():
    answer = client.models.generate_content(
        model=MODEL, contents="hi",
        config={**SHORT, "max_output_tokens": 200,
                "response_mime_type": "application/json",
                "response_json_schema": DIM_SCHEMA})
    check_dim(json.loads(answer.text))


@check_tools
def a_forced_function_and_its_result():
    config = {**FORCED, "tool_config": {"function_calling_config": {
        "mode": "ANY", "allowed_function_names": ["dim"]}}}
    first = client.models.generate_content(model=MODEL, contents="hi",
                                           config=config)
    assert first.function_calls
    for call in first.function_calls:
        check_dim(call.args)
    # Results without ids: matched by name and order.
    results = [types.Part.from_function_response(
        name=call.name, response={"result": "done"})
        for call in first.function_calls]
    second = client.models.generate_content(
        model=MODEL, config={**FORCED, "max_output_tokens": 8}, contents=[
            types.Content(role="user", parts=[types.Part(text="hi")]),
            first.candidates[0].content,
            types.Content(role="user", parts=results)])
    assert second.candidates[0].finish_reason


@check_tools
def a_callable_becomes_a_tool_and_thinking_is_on():
    def dim(level: int) -> str:
        """Dims a lamp."""
        return str(level)

    answer = client.models.generate_content(
        model=MODEL, contents="hi",
        config={**SHORT, "tools": [dim], "thinking_config": {
            "thinking_budget": 8, "include_thoughts": True},
            "automatic_function_calling": {"disable": True}})
    assert answer.candidates


@check
def tokens_and_models():
    counted = client.models.count_tokens(model=MODEL, contents="hi")
    answer = client.models.generate_content(model=MODEL, contents="hi",
                                            config=SHORT)
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count
    assert f"models/{MODEL}" in [m.name for m in client.models.list()]
    assert client.models.get(model=MODEL).supported_actions


@check
def files_in_two_pieces():
    text = "word " * 100
    file = client.files.upload(file=io.BytesIO(text.encode()),
                               config={"mime_type": "text/plain"})
    assert file.state == types.FileState.ACTIVE
    counted = client.models.count_tokens(model=MODEL, contents=[file])
    assert counted.total_tokens > 100
    client.files.delete(name=file.name)
    large = client.files.upload(file=io.BytesIO(bytes(9 << 20)),
                                config={"mime_type": "image/png"})
    assert large.size_bytes == 9 << 20
    client.files.delete(name=large.name)


@check
def inline_text_in_url_safe_base64():
    part = types.Part.from_bytes(data="?>?>?>~~~ text".encode(),
                                 mime_type="text/plain")
    assert client.models.count_tokens(model=MODEL,
                                      contents=[part]).total_tokens > 5


@check
def interactions():
    first = client.interactions.create(
        model=MODEL, input="hi", generation_config={"max_output_tokens": 8})
    types_seen = [event.event_type for event in client.interactions.create(
        model=MODEL, input="more", previous_interaction_id=first.id,
        stream=True, generation_config={"max_output_tokens": 8})]
    assert types_seen[-1] == "interaction.completed", types_seen


@check
def failures():
    for model, config, code in (("no-such-model", {}, 404),
                                (MODEL, {"temperature": -1}, 400)):
        try:
            client.models.generate_content(model=model, contents="hi",
                                           config=config)
        except errors.ClientError as error:
            assert error.code == code, error
        else:
            raise AssertionError("no error came")


finish()
