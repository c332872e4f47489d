#!/usr/bin/env python3
"""How long /health takes beside many clients that do nothing.

  stalled.py URL MODEL [--uploads 200] [--idle 200] [--asks 500]

Opens uploads whose bodies never come and keep-alive connections that ask
nothing more, keeps one generation running, and asks /health one after the
other, on a connection of its own each time. Prints median, p99 and most in
milliseconds; exits with 1 when an answer is wrong or p99 is over --limit.
"""

import argparse
import http.client
import json
import socket
import statistics
import sys
import threading
import time
import urllib.parse

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
          b"Content-Length: 100000\r\n\r\n{\"prompt\":")


def silent(address, first, wait):
    """A connection that sends `first`, reads an answer or not, and is quiet."""
    client = socket.create_connection(address, timeout=60)
    client.sendall(first)
    if wait:
        client.recv(4096)
    return client


def generate(address, model, stop):
    """One stream after the other until `stop`."""
    while not stop.is_set():
        connection = http.client.HTTPConnection(*address, timeout=600)
        connection.request("POST", "/v1/completions", json.dumps(
            {"model": model, "prompt": "Once upon a time", "max_tokens": 256,
             "ignore_eos": True, "stream": True}),
            {"content-type": "application/json"})
        answer = connection.getresponse()
        while answer.readline() and not stop.is_set():
            pass
        connection.close()


def ask(address):
    """Milliseconds that one answer took."""
    started = time.monotonic()
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(HEALTH)
        answer = client.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer)
    return (time.monotonic() - started) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--idle", type=int, default=200)
    parser.add_argument("--asks", type=int, default=500)
    parser.add_argument("--limit", type=float, default=50)
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.url)
    address = (url.hostname, url.port)
    clients = [silent(address, UPLOAD, False) for _ in range(options.uploads)]
    clients += [silent(address, HEALTH, True) for _ in range(options.idle)]
    stop = threading.Event()
    runner = threading.Thread(target=generate,
                              args=(address, options.model, stop))
    runner.start()
    try:
        times = []
        for _ in range(options.asks):
            times.append(ask(address))
            time.sleep(0.01)
    finally:
        stop.set()
        runner.join()
    times.sort()
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    print(f"{options.uploads} stalled uploads, {options.idle} idle "
          f"connections, one generation: /health median "
          f"{statistics.median(times):.1f} ms, p99 {p99:.1f} ms, most "
          f"{times[-1]:.1f} ms")
    for client in clients:
        client.close()
    return 0 if p99 <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
