"""Checks constrained decoding against independent validators.

    check_grammar.py WALK MODEL.gguf [--schemas 1000] [--tools 500]
                     [--suite DIR] [--ajv DIR] [--seed 1]

WALK is the test tool grammar_walk. Random schemas and tool sets are followed
by a sampler that emits noise; every finished text has to validate with
Python's jsonschema and, when --ajv names a folder whose node_modules holds
ajv and ajv-formats, with those too. --suite names a checkout (bare or not) of
the JSON-Schema-Test-Suite; its draft 2020-12 cases are then compared with what
the compiled grammars accept.
"""

import argparse
import collections
import json
import random
import re
import subprocess
import sys

import jsonschema

from random_schemas import Generator

# --- Gemma's call notation, parsed without a model's tokenizer --------------

class CallParser:
    def __init__(self, text, open_, close, quote):
        self.text, self.at = text, 0
        self.twice = set()
        self.open, self.close, self.quote = (
            "\x01" + t + "\x02" for t in (open_, close, quote))

    def take(self, token):
        if not self.text.startswith(token, self.at):
            raise ValueError(f"expected {token!r} at {self.at}")
        self.at += len(token)

    def upto(self, token):
        end = self.text.index(token, self.at)
        out = self.text[self.at:end]
        self.at = end + len(token)
        return out

    def calls(self):
        out = []
        while self.at < len(self.text):
            self.take(self.open)
            self.take("call:")
            brace = self.text.index("{", self.at)
            name = self.text[self.at:brace]
            self.at = brace
            out.append((name, self.value()))
            self.take(self.close)
        return out

    def key(self):
        if self.text.startswith(self.quote, self.at):
            self.take(self.quote)
            key = self.upto(self.quote)
            self.take(":")
            return key
        return self.upto(":")

    def value(self):
        text = self.text
        if text.startswith(self.quote, self.at):
            self.take(self.quote)
            return self.upto(self.quote)
        if text[self.at] == "{":
            self.take("{")
            out = {}
            while text[self.at] != "}":
                key = self.key()
                if key in out:
                    self.twice.add(key)
                out[key] = self.value()
                if text[self.at] == ",":
                    self.at += 1
            self.take("}")
            return out
        if text[self.at] == "[":
            self.take("[")
            out = []
            while text[self.at] != "]":
                out.append(self.value())
                if text[self.at] == ",":
                    self.at += 1
            self.take("]")
            return out
        end = self.at
        while text[end] not in ",}]":
            end += 1
        word = text[self.at:end]
        self.at = end
        return json.loads(word)


MARKERS = {"gemma4": ("<|tool_call>", "<tool_call|>", "<|\"|>"),
           "functiongemma": ("<start_function_call>", "<end_function_call>",
                             "<escape>")}

AJV = r"""
const fs = require('fs');
const Ajv = require('ajv/dist/2020');
const ajv = new Ajv({strict: false, allErrors: false, unicodeRegExp: true});
require('ajv-formats')(ajv);
for (const line of fs.readFileSync(0, 'utf8').split('\n')) {
  if (!line) continue;
  const {schema, text} = JSON.parse(line);
  let answer = 'ok';
  try {
    const check = ajv.compile(schema);
    if (!check(JSON.parse(text))) answer = JSON.stringify(check.errors[0]);
  } catch (error) { answer = 'exception ' + error; }
  console.log(answer);
}
"""


def run_walk(args, jobs):
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    done = subprocess.run([args.walk, args.model], input=lines.encode(),
                          stdout=subprocess.PIPE, check=True)
    results = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(results) == len(jobs)
    return results


def run_ajv(args, pairs):
    if not args.ajv:
        return []
    lines = "".join(json.dumps({"schema": s, "text": json.dumps(v)}) + "\n"
                    for s, v in pairs)
    done = subprocess.run(["node", "-e", AJV], input=lines.encode(),
                          stdout=subprocess.PIPE, cwd=args.ajv, check=True)
    return done.stdout.decode().splitlines()


def validate(schema, value):
    checker = jsonschema.Draft202012Validator(
        schema,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    error = next(iter(checker.iter_errors(value)), None)
    return error.message if error else None


class Tally:
    def __init__(self, name):
        self.name, self.counts, self.failures = name, collections.Counter(), []

    def fail(self, *what):
        self.counts["FAILED"] += 1
        if len(self.failures) < 10:
            self.failures.append(what)

    def cut(self, schema, text):
        """The sampler did not find the end within its limit."""
        self.counts["cut off"] += 1
        if self.counts["cut off"] <= 3:
            print("  cut off:", json.dumps(schema), "...", repr(text[-200:]))

    def report(self):
        print(self.name, dict(self.counts))
        for failure in self.failures:
            print("  ", *[str(f)[:1500] for f in failure], sep="\n    ")
        return self.counts["FAILED"] == 0


def check_values(args, tally, pairs):
    for (schema, value), answer in zip(pairs, run_ajv(args, pairs)):
        tally.counts["ajv"] += 1
        if answer != "ok":
            tally.fail("ajv", json.dumps(schema), json.dumps(value), answer)


def check_schemas(args, rng):
    tally = Tally("schemas")
    jobs = []
    for i in range(args.schemas):
        jobs.append({"schema": Generator(rng, False).root(),
                     "options": {"any_whitespace": i % 4 == 0,
                                 "spec_defaults": i % 3 == 0},
                     "seeds": [i, i + 100000]})
    pairs = []
    for job, result in zip(jobs, run_walk(args, jobs)):
        if "error" in result:
            tally.counts["refused: " + result["code"]] += 1
            # The generator may contradict itself; nothing else is refused.
            if result["code"] != "invalid argument":
                tally.fail(json.dumps(job["schema"]), result["error"])
            continue
        tally.counts["compiled"] += 1
        for walk in result["walks"]:
            if "error" in walk:
                tally.fail(json.dumps(job["schema"]), walk)
                continue
            if not walk["finished"]:
                tally.cut(job["schema"], walk["text"])
                continue
            try:
                value = json.loads(walk["text"])
            except ValueError as error:
                tally.fail(json.dumps(job["schema"]), walk["text"], error)
                continue
            tally.counts["finished"] += 1
            error = validate(job["schema"], value)
            if error and not result["notes"]:
                tally.fail(json.dumps(job["schema"]), walk["text"], error)
            if not result["notes"]:
                pairs.append((job["schema"], value))
    check_values(args, tally, pairs)
    return tally.report()


def all_closed(tools):
    """No object of these declarations takes undeclared keys."""
    text = json.dumps(tools)
    return not any(mark in text for mark in (
        '"additionalProperties": {', '"properties": {}', '"object", "null"'))


def check_tools(args, rng):
    tally = Tally("tools")
    jobs = []
    for i in range(args.tools):
        tools = [{"name": name, "parameters": Generator(rng, True).root()}
                 for name in rng.sample(["f", "get", "get_weather", "a.b-c",
                                         "Search", "fs:read"],
                                        rng.randint(1, 4))]
        jobs.append({"tools": tools, "seeds": [i, i + 100000],
                     "syntax": "functiongemma"
                               if i % 4 == 0 and args.functiongemma
                               else "gemma4"})
    pairs = []
    for job, result in zip(jobs, run_walk(args, jobs)):
        if "error" in result:
            tally.counts["refused: " + result["code"]] += 1
            if result["code"] != "invalid argument":
                tally.fail(json.dumps(job), result["error"])
            continue
        tally.counts["compiled"] += 1
        schemas = {t["name"]: t["parameters"] for t in job["tools"]}
        for walk in result["walks"]:
            if "error" in walk:
                tally.fail(json.dumps(job), walk)
                continue
            if not walk["finished"]:
                tally.cut(job["tools"], walk["text"])
                continue
            tally.counts["finished"] += 1
            try:
                parser = CallParser(walk["text"], *MARKERS[job["syntax"]])
                calls = parser.calls()
                assert calls
                # Undeclared keys are not tracked; the last one counts.
                if parser.twice:
                    tally.counts["undeclared key twice"] += 1
                    assert not all_closed(job["tools"])
                for name, arguments in calls:
                    tally.counts["calls"] += 1
                    error = validate(schemas[name], arguments)
                    if error:
                        raise ValueError(error)
                    pairs.append((schemas[name], arguments))
            except (ValueError, KeyError, AssertionError) as error:
                tally.fail(json.dumps(job), walk["text"], repr(error))
    check_values(args, tally, pairs)
    return tally.report()


# --- The official suite -----------------------------------------------------

FILES = ["additionalProperties", "allOf", "anchor", "anyOf", "boolean_schema",
         "const", "default", "defs", "enum", "exclusiveMaximum",
         "exclusiveMinimum", "format", "infinite-loop-detection", "items",
         "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
         "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf",
         "pattern", "prefixItems", "properties", "ref", "required", "type",
         "uniqueItems", "content", "contains", "maxContains", "minContains",
         "dependentRequired", "dependentSchemas", "dynamicRef",
         "if-then-else", "patternProperties", "propertyNames", "refRemote",
         "unevaluatedItems", "unevaluatedProperties", "vocabulary",
         "optional/bignum", "optional/non-bmp-regex", "optional/anchor",
         "optional/format/date", "optional/format/time",
         "optional/format/date-time", "optional/format/uuid",
         "optional/format/ipv4", "optional/format/ipv6",
         "optional/format/email", "optional/format/hostname",
         "optional/format/uri", "optional/format/duration"]


def suite_file(folder, name):
    path = f"tests/draft2020-12/{name}.json"
    done = subprocess.run(["git", "-C", folder, "show", f"HEAD:{path}"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return json.loads(done.stdout) if done.returncode == 0 else []


def declared_order(schema, root, depth=0):
    """Property names in the order the grammar writes them, as far as the
    schema itself tells."""
    if not isinstance(schema, dict) or depth > 4:
        return []
    names = list(schema.get("properties", {}))
    ref = schema.get("$ref", "")
    if ref.startswith("#/"):
        target = root
        for part in ref[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            target = target.get(part, {}) if isinstance(target, dict) else {}
        names += declared_order(target, root, depth + 1)
    for word in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(word, []):
            names += declared_order(branch, root, depth + 1)
    return names + list(schema.get("required", []))


def spellings(value, schema, root):
    """The canonical texts of an instance: compact, whole floats as integers,
    members in every order that could be the declared one."""
    def canonical(v, s):
        if isinstance(v, float) and v == int(v) and abs(v) < 1e18:
            return int(v)
        if isinstance(v, list):
            items = s.get("items", {}) if isinstance(s, dict) else {}
            return [canonical(x, items) for x in v]
        if isinstance(v, dict):
            order = declared_order(s, root)
            props = s.get("properties", {}) if isinstance(s, dict) else {}
            keys = sorted(v, key=lambda k: order.index(k) if k in order
                          else len(order))
            return {k: canonical(v[k], props.get(k, {})) for k in keys}
        return v

    def dump(v):
        return json.dumps(v, separators=(",", ":"), ensure_ascii=False)

    out = {dump(value), dump(canonical(value, schema))}
    if isinstance(value, dict) and 1 < len(value) < 6:
        import itertools
        for keys in itertools.permutations(value):
            out.add(dump({k: value[k] for k in keys}))
    return sorted(out)


def inexpressible(value):
    """What the canonical form leaves out on purpose."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)) and abs(value) >= 1e18:
        return "number beyond 18 digits"
    if isinstance(value, list):
        return next(filter(None, map(inexpressible, value)), None)
    if isinstance(value, dict):
        return next(filter(None, map(inexpressible, value.values())), None)
    return None


def check_suite(args):
    tally = Tally("suite")
    per_file = collections.defaultdict(collections.Counter)
    jobs, cases = [], []
    for name in FILES:
        for group in suite_file(args.suite, name):
            texts, expected = [], []
            for test in group["tests"]:
                options = spellings(test["data"], group["schema"],
                                    group["schema"])
                expected.append((len(texts), len(options), test))
                texts += options
            jobs.append({"schema": group["schema"], "texts": texts,
                         "options": {"spec_defaults": True}})
            cases.append((name, group, expected))
    # A text that fits and should not is wrong; so is a text that should fit
    # and does not, unless the canonical form leaves it out on purpose.
    narrower, noted, refused = (collections.Counter() for _ in range(3))
    for (name, group, expected), result in zip(cases, run_walk(args, jobs)):
        counts = per_file[name]
        if "error" in result and result["code"] == "invalid argument":
            result = {"fits": [False] * 10000, "notes": []}
        if "error" in result:
            counts["refused"] += len(expected)
            refused[refusal(result["error"])] += len(expected)
            continue
        for first, count, test in expected:
            fits = any(result["fits"][first:first + count])
            if fits == test["valid"]:
                counts["agree"] += 1
                continue
            if fits and result["notes"]:
                counts["noted"] += 1
                noted[result["notes"][0].split(" at ")[0]] += 1
                continue
            reason = inexpressible(test["data"])
            if not fits and name.startswith("optional/format/"):
                reason = "a spelling of a format that is never generated"
            if not fits and name == "format":
                reason = "formats are enforced, not only annotated"
            if not fits and name == "vocabulary":
                reason = "a meta-schema that switches keywords off"
            if reason and not fits:
                counts["narrower"] += 1
                narrower[reason] += 1
                continue
            counts["wrong"] += 1
            tally.fail(name, group["description"], test["description"],
                       json.dumps(group["schema"]), json.dumps(test["data"]),
                       f"valid {test['valid']}, accepted {fits}")
    for name, counts in per_file.items():
        print(f"  {name}: {dict(counts)}")
        tally.counts.update(counts)
    for word, reasons in (("refused", refused), ("narrower", narrower),
                          ("noted", noted)):
        for reason, count in reasons.most_common():
            print(f"  {word} {count}: {reason}")
    return tally.report()


def refusal(message):
    """The keyword an error names; without one the error itself."""
    named = re.search(r'"(\$?[A-Za-z]+)"', message.split(": ", 1)[-1])
    pattern = "The pattern" in message
    ref = "$ref" in message
    return ("pattern" if pattern else "$ref out of the schema" if ref
            else named[1] if named else "NO KEYWORD NAMED: " + message)


def main():
    sys.setrecursionlimit(100000)  # answers nest up to 192 levels
    parser = argparse.ArgumentParser()
    parser.add_argument("walk")
    parser.add_argument("model")
    parser.add_argument("--schemas", type=int, default=1000)
    parser.add_argument("--tools", type=int, default=500)
    parser.add_argument("--suite")
    parser.add_argument("--ajv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-functiongemma", dest="functiongemma",
                        action="store_false", help="for vocabularies without "
                        "FunctionGemma's control tokens")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    ok = True
    if args.suite:
        ok = check_suite(args) and ok
    if args.schemas:
        ok = check_schemas(args, rng) and ok
    if args.tools:
        ok = check_tools(args, rng) and ok
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
