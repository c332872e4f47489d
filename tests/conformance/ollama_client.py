"""The ollama package."""

import json
import os

import ollama

from harness import (DIM_SCHEMA, HAS_TOOLS, MODEL, URL, check, check_dim,
                     check_tools, finish)

client = ollama.Client(host=URL)
BASE = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}],
        "options": {"seed": 1, "num_predict": 16}, "think": False}


@check
def chat_and_stream():
    whole = client.chat(**BASE)
    text = "".join(chunk.message.content
                   for chunk in client.chat(**BASE, stream=True))
    assert text == whole.message.content
    assert whole.done_reason in ("stop", "length")


@check
def structured_output():
    answer = client.chat(**{**BASE, "options": {"num_predict": 200}},
                         format=DIM_SCHEMA)
    check_dim(json.loads(answer.message.content))


@check
def generate_goes_on_from_its_context():
    first = client.generate(model=MODEL, prompt="one", think=False,
                            options=BASE["options"])
    second = client.generate(model=MODEL, prompt="two", think=False,
                             context=first.context, options=BASE["options"])
    assert second.prompt_eval_count > first.prompt_eval_count


@check_tools
def a_callable_is_a_tool():
    def dim(level: int) -> str:
        """Dims a lamp.

        Args:
            level: how bright
        """
        return str(level)

    assert client.chat(**BASE, tools=[dim]).done


@check
def models():
    assert MODEL in [m.model for m in client.list().models]
    assert "completion" in client.show(MODEL).capabilities
    assert client.ps().models[0].context_length > 0


def pull():
    seen = [part for part in client.pull(PULL, stream=True)]
    assert seen[0].status == "pulling manifest", seen[0]
    assert seen[-1].status == "success", seen[-1]
    sizes = [part for part in seen if part.digest]
    assert sizes[-1].completed == sizes[-1].total > 0
    assert client.pull(PULL).status == "success"
    assert any(m.model.startswith(PULL) for m in client.list().models)
    client.delete(PULL)
    assert not any(m.model.startswith(PULL) for m in client.list().models)
    try:
        client.pull("org/none")
    except ollama.ResponseError as error:
        assert "does not exist" in error.error, error
    else:
        raise AssertionError("a model that nobody has was pulled")


# A server that runs already may not download.
PULL = os.environ.get("CARAT_PULL")
if PULL:
    check(pull)


@check
def failures():
    for change, code in (({"model": "no-such-model"}, 404),
                         ({"options": {"top_k": "x"}}, 400),
                         ({} if HAS_TOOLS else {"think": True}, 400)):
        if not change:
            continue
        try:
            client.chat(**{**BASE, **change})
        except ollama.ResponseError as error:
            assert error.status_code == code, error
        except ValueError:
            pass  # the client itself checks the types of options
        else:
            raise AssertionError(f"no error came for {change}")


finish()
