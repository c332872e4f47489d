"""The openai package."""

import json

import openai
from harness import (DIM_SCHEMA, MODEL, URL, check, check_dim, check_tools,
                     finish)

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}],
       "seed": 1, "max_tokens": 16}
TOOL = {"type": "function",
        "function": {"name": "dim", "parameters": DIM_SCHEMA}}


@check
def chat_and_its_stream():
    whole = client.chat.completions.create(**ASK)
    text = ""
    for chunk in client.chat.completions.create(**ASK, stream=True):
        text += chunk.choices[0].delta.content or ""
    assert text == whole.choices[0].message.content


@check
def structured_output():
    answer = client.chat.completions.create(
        **{**ASK, "max_tokens": 200}, response_format={
            "type": "json_schema",
            "json_schema": {"name": "dim", "schema": DIM_SCHEMA}})
    check_dim(json.loads(answer.choices[0].message.content))


@check_tools
def tools_and_their_results():
    messages = list(ASK["messages"])
    ask = {**ASK, "max_tokens": 300, "tools": [TOOL], "messages": messages}
    first = client.chat.completions.create(**ask, tool_choice="required")
    message = first.choices[0].message
    messages.append(message)
    for call in message.tool_calls:
        check_dim(json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id,
                         "content": "done"})
    client.chat.completions.create(**{**ask, "max_tokens": 8},
                                   tool_choice="none")


@check_tools
def a_streamed_call_through_the_helper():
    with client.chat.completions.stream(
            **{**ASK, "max_tokens": 300}, tools=[TOOL],
            tool_choice="required") as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    for call in final.choices[0].message.tool_calls:
        check_dim(json.loads(call.function.arguments))


@check
def responses_and_their_stream():
    ask = {"model": MODEL, "input": "hi", "max_output_tokens": 16}
    first = client.responses.create(**ask)
    client.responses.create(**ask, previous_response_id=first.id)
    # The helper wants an answer that was not cut: a schema ends it.
    ask |= {"max_output_tokens": 200, "text": {"format": {
        "type": "json_schema", "name": "dim", "schema": DIM_SCHEMA}}}
    text = ""
    with client.responses.stream(**ask) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
        final = stream.get_final_response()
    assert final.output_text == text


@check
def completions_and_models():
    answer = client.completions.create(model=MODEL, prompt="the",
                                       max_tokens=4)
    assert isinstance(answer.choices[0].text, str)
    assert MODEL in [entry.id for entry in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


@check
def prompts_are_scored():
    """As scoring tools ask: nothing generated, the prompt's own logprobs."""
    answer = client.completions.create(
        model=MODEL, prompt="the quick brown fox", echo=True, logprobs=3,
        max_tokens=0)
    choice = answer.choices[0]
    assert choice.text == "the quick brown fox", choice.text
    scores = choice.logprobs
    count = len(scores.tokens)
    assert count > 1 and "".join(scores.tokens) == choice.text, scores
    assert len(scores.token_logprobs) == len(scores.top_logprobs) == count
    for number, top, token, offset in zip(
            scores.token_logprobs, scores.top_logprobs, scores.tokens,
            scores.text_offset):
        assert number <= 0 and 1 <= len(top) <= 3, scores
        assert choice.text[offset:].startswith(token), scores
    assert answer.usage.completion_tokens == 0


@check
def errors_have_their_classes():
    for change, kind in (({"model": "no-such-model"}, openai.NotFoundError),
                         ({"temperature": -1}, openai.BadRequestError)):
        try:
            client.chat.completions.create(**{**ASK, **change})
        except kind:
            continue
        raise AssertionError(f"{change} raised no {kind.__name__}")


finish()
