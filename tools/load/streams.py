#!/usr/bin/env python3
"""Many streams at once against a running `carat serve`.

  streams.py URL MODEL [--streams 8] [--rounds 1] [--minutes 0] [--tokens 64]

Each prompt is first answered alone, then all together, greedily: every
stream's text must equal its solo run. Prints tokens a second alone and
together and, from /metrics, the server's memory after each round; exits with
1 when a text differs, a request fails, or memory has grown by more than 5%
since the second round (with four rounds or more).
"""

import argparse
import concurrent.futures
import json
import sys
import time
import urllib.request


def stream(url, model, prompt, tokens):
    """(text, tokens) of one streamed completion."""
    body = {"model": model, "prompt": prompt, "max_tokens": tokens,
            "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}}
    request = urllib.request.Request(
        url + "/v1/completions", json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": "Bearer x"})
    text, count = "", 0
    with urllib.request.urlopen(request, timeout=600) as answer:
        for line in answer:
            if not line.startswith(b"data: ") or line.startswith(b"data: ["):
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise RuntimeError(chunk["error"])
            for choice in chunk["choices"]:
                text += choice["text"]
            if chunk.get("usage"):
                count = chunk["usage"]["completion_tokens"]
    return text, count


def resident_mib(url):
    """The server's memory as it tells it."""
    with urllib.request.urlopen(url + "/metrics", timeout=600) as answer:
        for line in answer:
            if line.startswith(b"carat_resident_bytes "):
                return int(line.split()[1]) / 2**20
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0,
                        help="more rounds until then")
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    prompts = [f"Chapter {i}. The year {1900 + 7 * i} began with"
               for i in range(options.streams)]

    def run(prompt):
        return stream(options.url, options.model, prompt, options.tokens)

    started = time.monotonic()
    alone = [run(prompt) for prompt in prompts]
    solo = sum(count for _, count in alone) / (time.monotonic() - started)
    print(f"alone: {solo:.1f} tokens/s")
    differ, number = 0, 0
    end = time.monotonic() + options.minutes * 60
    memory = []
    while number < options.rounds or time.monotonic() < end:
        number += 1
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(options.streams) as pool:
            together = list(pool.map(run, prompts))
        speed = sum(c for _, c in together) / (time.monotonic() - started)
        differ += sum(a != b for a, b in zip(alone, together))
        memory.append(resident_mib(options.url))
        print(f"round {number}: {options.streams} streams, {speed:.1f} "
              f"tokens/s ({speed / solo:.2f} times one), {differ} texts "
              f"differ, {memory[-1]:.0f} MiB", flush=True)
    if len(memory) >= 4:
        growth = memory[-1] / memory[1] - 1
        print(f"memory since round 2: {growth:+.1%}")
        if growth > 0.05:
            return 1
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
