"""The anthropic package."""

import json

import anthropic
from harness import (DIM_SCHEMA, MODEL, URL, check, check_dim, check_tools,
                     finish)

client = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0)
ASK = {"model": MODEL, "max_tokens": 16,
       "messages": [{"role": "user", "content": "hi"}],
       "extra_body": {"seed": 1}}
TOOLS = [{"name": "dim", "description": "Dims", "input_schema": DIM_SCHEMA}]


@check
def a_message_and_its_stream():
    whole = client.messages.create(**ASK)
    with client.messages.stream(**ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "".join(block.text for block in whole.content)
    assert final.usage.output_tokens == whole.usage.output_tokens


@check_tools
def a_tool_and_its_result():
    messages = list(ASK["messages"])
    ask = {**ASK, "max_tokens": 300, "tools": TOOLS, "messages": messages}
    first = client.messages.create(**ask, tool_choice={"type": "any"})
    assert first.stop_reason == "tool_use", first
    uses = [b for b in first.content if b.type == "tool_use"]
    messages.append({"role": "assistant", "content": first.content})
    messages.append({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": use.id,
         "content": [{"type": "text", "text": "done"}]} for use in uses]})
    for use in uses:
        check_dim(use.input)
    client.messages.create(**{**ask, "max_tokens": 8},
                           tool_choice={"type": "none"})


@check_tools
def a_streamed_tool_use():
    with client.messages.stream(**{**ASK, "max_tokens": 300}, tools=TOOLS,
                                tool_choice={"type": "any"}) as stream:
        final = stream.get_final_message()
    for block in final.content:
        if block.type == "tool_use":
            check_dim(block.input)


@check
def structured_output():
    message = client.messages.create(
        **{**ASK, "max_tokens": 200}, output_config={
            "format": {"type": "json_schema", "schema": DIM_SCHEMA}})
    check_dim(json.loads(message.content[0].text))


@check
def tokens_and_models():
    count = client.messages.count_tokens(model=MODEL,
                                         messages=ASK["messages"])
    assert count.input_tokens > 0
    assert MODEL in [entry.id for entry in client.models.list()]


@check
def errors_have_their_classes():
    for change, kind in (({"model": "no-such-model"},
                          anthropic.NotFoundError),
                         ({"max_tokens": 0}, anthropic.BadRequestError)):
        try:
            client.messages.create(**{**ASK, **change})
        except kind:
            continue
        raise AssertionError(f"{change} raised no {kind.__name__}")


finish()
