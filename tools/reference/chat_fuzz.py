#!/usr/bin/env python3
"""Compare carat's native prompts with the official chat templates.

Writes random conversations, renders them with the templates through Jinja2
(set up as transformers' apply_chat_template does) and with carat's
render_lines, and reports every difference.

The templates are not part of this repository. Put them into a folder as
v1.jinja, v2S.jinja, v2L.jinja, v3S.jinja, v3L.jinja, v4S.jinja, v4L.jinja
(S small, L large sizes) and gemma3.jinja; see docs/models/gemma4-chat.md for
their digests.

  chat_fuzz.py --templates DIR --driver build/render_lines --count 20000
  chat_fuzz.py ... --write tests/data/chat/rendered.jsonl --per-flavour 60
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FLAVOURS = {
    "v4S": "gemma4-small",
    "v4L": "gemma4-large",
    "v3S": "gemma4-v3-small",
    "v3L": "gemma4-v3-large",
    "v2S": "gemma4-v2-small",
    "v2L": "gemma4-v2-large",
    "v1": "gemma4-v1",
    "gemma3": "gemma3",
}

WORDS = [
    "", " ", "\n", "a", "Hello", " lead", "trail ", "two words", "x\ny",
    "\n\nblank\n\n", "é", "日本語", "🙂👩‍👩‍👧", "שלום", "a\u0301", "{b}", "[c]",
    "d,e", 'say "hi"', "it's", "\\", "a:b", "<b>", "<|turn>user\n", "<turn|>",
    "<bos>", "<|tool_call>call:f{}<tool_call|>", '<|"|>', "<|image|>", "\t",
    "\u00a0", "\u200b", "\u2003z\u2003", "\ufeff", "\u0085q", "\x1c", "```",
    "null", "None", "1.5", "<start_of_turn>", "<end_of_turn>",
]
KEYS = [
    "city", "City", "a", "B", "_z", "k b", "k-b", "k.b", "Zip", "zip", "ÄRGER",
    "ärger", "type", "description", "properties", "required", "nullable",
    "Σ", "ΑΣ", "İx", "items", "0", "ß", "value", "Ω",
]
NAMES = ["get_weather", "f", "g.h-i", "shot", "Create_Order"]


class Maker:
    """Random conversations the template of one flavour can render."""

    def __init__(self, seed, flavour):
        self.r = random.Random(seed)
        self.flavour = flavour
        self.version = int(flavour[1]) if flavour[0] == "v" else 0

    def text(self, most=4):
        return "".join(
            self.r.choice(WORDS) for _ in range(self.r.randint(0, most)))

    def number(self):
        r = self.r
        return r.choice([
            0, 1, -1, 3, 10**r.randint(0, 40), -(2**63), 2**64, 0.0, -0.0, 2.0,
            0.1, 1e-7, 1e16, 1e15, 123456.789, 0.0001, 0.00001, 1.5e300,
            5e-324, 1.7976931348623157e308, r.random(), r.uniform(-1e9, 1e9),
            r.random() * 10.0**r.randint(-30, 30),
        ])

    def value(self, depth=0):
        r = self.r
        pick = r.randint(0, 9 if depth < 3 else 5)
        if pick <= 1:
            return self.text()
        if pick <= 3:
            return self.number()
        if pick == 4:
            return r.choice([True, False])
        if pick == 5:
            return None
        if pick <= 7:
            return [self.value(depth + 1) for _ in range(r.randint(0, 3))]
        return self.object(depth + 1)

    def object(self, depth=0):
        keys = self.r.sample(KEYS, self.r.randint(0, 4))
        return {k: self.value(depth) for k in keys}

    def schema(self, depth=0, strange=True):
        """A property schema; `strange` ones use what the notation lacks."""
        r = self.r
        kinds = ["string", "integer", "number", "boolean", "STRING"]
        if depth < 3:
            kinds += ["object", "array"] * 2
        s = {}
        kind = r.choice(kinds)
        if not (strange and r.random() < 0.05):
            s["type"] = kind
        if strange and r.random() < 0.08:
            s["type"] = r.choice([["string", "null"], ["integer", "string"]])
        if r.random() < 0.6:
            s["description"] = self.text()
        if r.random() < 0.2:
            s["nullable"] = r.choice([True, False])
        if kind.lower() == "string" and r.random() < 0.4:
            s["enum"] = [self.text(2) for _ in range(r.randint(0, 3))]
            if strange and r.random() < 0.2:
                s["enum"] += [None, 1, True, {"Q": 1, "b": [2.0]}]
        elif strange and r.random() < 0.1:
            s["enum"] = [1, 2]
        if kind == "object":
            if not strange or r.random() < 0.85:
                s["properties"] = self.properties(depth + 1, strange)
            if strange and r.random() < 0.2:
                s["additionalProperties"] = r.choice(
                    [False, True, {"type": "string"}])
            if r.random() < 0.4:
                s["required"] = r.sample(KEYS, r.randint(0, 2))
        if kind == "array" and r.random() < 0.9:
            s["items"] = self.schema(depth + 1, strange)
            if not strange and s["items"].get("enum") == []:
                del s["items"]["enum"]
        if strange and r.random() < 0.1:
            s[r.choice(["minimum", "default", "minLength", "title"])] = 1.5
        return s

    def properties(self, depth, strange):
        keys = self.r.sample(KEYS, self.r.randint(0, 4))
        return {k: self.schema(depth, strange) for k in keys}

    def tool(self, strange):
        r = self.r
        f = {"name": r.choice(NAMES)}
        if r.random() < 0.9:
            f["description"] = self.text()
        if r.random() < 0.85:
            p = {"type": "object"}
            if strange and r.random() < 0.1:
                del p["type"]
            if r.random() < 0.9:
                p["properties"] = self.properties(0, strange)
            if r.random() < 0.4:
                p["required"] = r.sample(KEYS, r.randint(0, 2))
            if r.random() < 0.2:
                p["additionalProperties"] = False
            f["parameters"] = p
        if r.random() < 0.1:
            f["response"] = {"type": "object"}
            if strange and r.random() < 0.3:
                f["response"]["type"] = "string"
            if r.random() < 0.5:
                f["response"]["description"] = self.text()
        return {"type": "function", "function": f}

    def content(self, allow_none=True):
        r = self.r
        if allow_none and r.random() < 0.1:
            return None
        if r.random() < 0.75:
            return self.text()
        parts = []
        aliases = self.version >= 4
        for _ in range(r.randint(1, 4)):
            kind = r.choice(
                ["text", "text", "image", "audio", "video"] +
                (["image_url", "input_audio"] if aliases else []))
            part = {"type": kind}
            if kind == "text":
                part["text"] = self.text()
            parts.append(part)
        # An empty text part alone would count as content in v2 only.
        if all(not p.get("text", "x") for p in parts):
            parts.append({"type": "image"})
        return parts

    def inline_thought(self):
        pieces = [self.text(1) for _ in range(3)]
        marks = self.r.choice([
            ("<|channel>thought\n", "<channel|>"), ("<|channel>", ""),
            ("", "<channel|>"), ("<|channel>a<|channel>", "<channel|>")])
        return pieces[0] + marks[0] + pieces[1] + marks[1] + pieces[2]

    def assistant(self, n):
        r = self.r
        m = {"role": "assistant"}
        if r.random() < 0.8:
            m["content"] = self.content()
        if r.random() < 0.15:
            m["content"] = self.inline_thought()
        if r.random() < 0.4:
            m[r.choice(["reasoning", "reasoning_content"])] = self.text()
        out = [m]
        if r.random() > 0.5:
            return out
        names = [r.choice(NAMES) for _ in range(r.randint(1, 3))]
        ids = r.random() < 0.85
        calls = []
        for i, name in enumerate(names):
            function = {"name": name}
            if r.random() < 0.95:
                function["arguments"] = self.object()
            else:
                function["arguments"] = None
            call = {"type": "function", "function": function}
            if ids:
                call["id"] = "c%d_%d" % (n, i)
            calls.append(call)
        m["tool_calls"] = calls
        if self.version >= 2 and ids and r.random() < 0.15:
            # Google's shape; its text would come after the results.
            m.pop("content", None)
            m["tool_responses"] = [
                {"name": name, "response": self.value()} for name in names]
            return out
        order = list(range(len(names)))
        r.shuffle(order)
        for i in order[:r.randint(0, len(order))]:
            t = {"role": "tool", "content": self.tool_content()}
            if ids:
                t["tool_call_id"] = "c%d_%d" % (n, i)
            elif r.random() < 0.5:
                t["name"] = "g"
            out.append(t)
        if self.version >= 4 and r.random() < 0.1:
            out.append({"role": "tool", "name": r.choice(["u", ""]),
                        "tool_call_id": "none", "content": "stray"})
        return out

    def tool_content(self):
        r = self.r
        if self.version == 1:
            return self.text()
        pick = r.random()
        if pick < 0.1:
            return None
        if pick < 0.8:
            return self.text()
        parts = [{"type": "text", "text": self.text()}
                 for _ in range(r.randint(0, 2))]
        if self.version >= 4:
            parts += [{"type": r.choice(["image", "input_audio", "video"])}
                      for _ in range(r.randint(0, 2))]
        r.shuffle(parts)
        return parts

    def system(self):
        r = self.r
        m = {"role": r.choice(["system", "developer"]), "content": self.text()}
        if self.version >= 3 and r.random() < 0.2:
            # A list of one part is read like a string (see the docs).
            m["content"] = [{"type": "text", "text": self.text() or "s"}
                            for _ in range(r.randint(2, 3))]
        return m

    def gemma4(self, strange):
        r = self.r
        messages = []
        if r.random() < 0.4:
            messages.append(self.system())
        for n in range(r.randint(0 if self.version == 4 else 1, 6)):
            if r.random() < 0.5:
                m = {"role": "user", "content": self.content(False)}
                if r.random() < 0.05:
                    m["reasoning"] = self.text()
                messages.append(m)
            elif r.random() < 0.08:
                messages.append({"role": r.choice(["system", "developer"]),
                                 "content": self.text()})
            else:
                messages += self.assistant(n)
        if self.version == 4 and r.random() < 0.05:
            messages.insert(0, {"role": "tool", "content": "dropped"})
        case = {"messages": messages}
        if r.random() < 0.5:
            case["tools"] = [self.tool(strange)
                             for _ in range(r.randint(1, 3))]
        if r.random() < 0.5:
            case["enable_thinking"] = True
        if self.version == 4 and r.random() < 0.3:
            case["preserve_thinking"] = True
        if r.random() < 0.25:
            case["add_generation_prompt"] = False
        return case

    def gemma3(self):
        r = self.r
        messages = []
        if r.random() < 0.4:
            content = self.text()
            if r.random() < 0.3:
                content = [{"type": "text", "text": self.text() or "s"}
                           for _ in range(r.randint(1, 2))]
            messages.append({"role": "system", "content": content})
        for n in range(r.randint(1, 5)):
            content = self.text()
            if r.random() < 0.3:
                content = [{"type": "image"} if r.random() < 0.4 else
                           {"type": "text", "text": self.text()}
                           for _ in range(r.randint(1, 4))]
            messages.append({"role": "assistant" if n % 2 else "user",
                             "content": content})
        case = {"messages": messages}
        if r.random() < 0.25:
            case["add_generation_prompt"] = False
        return case

    def case(self, strange):
        if self.flavour == "gemma3":
            return self.gemma3()
        return self.gemma4(strange)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def raise_exception(message):
        raise ValueError(message)

    env.globals["raise_exception"] = raise_exception
    return env


def render(template, case):
    return template.render(
        messages=case["messages"], tools=case.get("tools"),
        bos_token="<bos>",
        enable_thinking=case.get("enable_thinking", False),
        preserve_thinking=case.get("preserve_thinking", False),
        add_generation_prompt=case.get("add_generation_prompt", True))


def untouched(case):
    """Whether none of carat's repairs applies to this conversation."""
    messages = case["messages"]
    for i, m in enumerate(messages):
        if m["role"] == "developer" and i > 0:
            return False
        if m["role"] == "tool":
            if i == 0 or messages[i - 1]["role"] not in ("tool", "assistant"):
                return False
            if not m.get("tool_call_id") or m["tool_call_id"] == "none":
                return False
        calls = m.get("tool_calls")
        if calls:
            follows = messages[i + 1] if i + 1 < len(messages) else None
            answered = m.get("tool_responses") or (
                follows and follows["role"] == "tool")
            if m.get("content") or (follows and not answered):
                return False
    return True


def drive(driver, cases):
    lines = "".join(json.dumps(c) + "\n" for c in cases)
    done = subprocess.run([driver], input=lines.encode(), check=True,
                          stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]


def compare(args, flavour):
    path = "%s/%s.jinja" % (args.templates, flavour)
    template = environment().from_string(open(path, encoding="utf-8").read())
    cases, expected = [], []
    failed_in_template = 0
    for seed in range(args.seed, args.seed + args.count):
        strange = seed % 2 == 0
        case = Maker("%s-%d" % (flavour, seed), flavour).case(strange)
        try:
            text = render(template, case)
        except Exception as error:  # a generated case it cannot render
            failed_in_template += 1
            if args.verbose:
                print("template failed:", error, json.dumps(case))
            continue
        case["format"] = FLAVOURS[flavour]
        cases.append(dict(case, keep_faults=True))
        expected.append(text)
        if flavour in ("v4S", "v4L") and not strange and untouched(case):
            cases.append(dict(case, keep_faults=False))
            expected.append(text)
    wrong = 0
    for case, want, got in zip(cases, expected, drive(args.driver, cases)):
        if got.get("text") == want:
            continue
        wrong += 1
        if wrong <= args.show:
            print(flavour, json.dumps(case, ensure_ascii=False))
            print("  want", json.dumps(want, ensure_ascii=False))
            print("  got ", json.dumps(got, ensure_ascii=False))
    repaired = sum(not c["keep_faults"] for c in cases)
    print("%-7s %6d rendered (%d of them also with repairs on, %d refused by "
          "the template): %d differ" % (
              flavour, len(cases), repaired, failed_in_template, wrong))
    return wrong, list(zip(cases, expected))


def write(path, rows, per_flavour):
    """A digest-checked selection: varied in size, short enough to keep."""
    lines = []
    for flavour, pairs in rows.items():
        pairs = [p for p in pairs if len(json.dumps(p[0])) < 1500]
        for case, text in pairs[:per_flavour]:
            digest = hashlib.sha256(text.encode()).hexdigest()[:32]
            lines.append(json.dumps(dict(case, sha256=digest, bytes=len(
                text.encode())), ensure_ascii=True, separators=(",", ":")))
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    print("wrote %d cases to %s" % (len(lines), path))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--templates", required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flavours", default=",".join(FLAVOURS))
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--write")
    parser.add_argument("--per-flavour", type=int, default=50)
    args = parser.parse_args()
    total, rows = 0, {}
    for flavour in args.flavours.split(","):
        wrong, rows[flavour] = compare(args, flavour)
        total += wrong
    if args.write:
        write(args.write, rows, args.per_flavour)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
