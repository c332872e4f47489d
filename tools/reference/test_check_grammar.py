"""A few generated schemas and tool sets, on a tiny vocabulary.

The walker emits noise under each of them; Python's jsonschema judges what came
out. check_grammar.py does the same in bulk and over a real vocabulary.
"""

import argparse
import os
import pathlib
import random
import sys
import unittest

try:
    import check_grammar
except ImportError:  # without jsonschema
    check_grammar = None

DATA = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data"
WALK = pathlib.Path(os.environ.get("CARAT_BIN", "/")).with_name("grammar_walk")


@unittest.skipUnless(check_grammar, "needs the Python package jsonschema")
@unittest.skipUnless(WALK.exists(), "needs grammar_walk (ninja test_tools)")
class CheckGrammarTest(unittest.TestCase):
    def setUp(self):
        # Answers nest up to 192 levels, and the validator recurses.
        self.addCleanup(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(100000)

    def arguments(self, **changes):
        return argparse.Namespace(**{
            "walk": str(WALK), "model": str(DATA / "tiny" / "gemma4-e"),
            "schemas": 60, "tools": 30, "ajv": None,
            "functiongemma": False, **changes})

    def test_noise_under_schemas_validates(self):
        self.assertTrue(check_grammar.check_schemas(self.arguments(),
                                                    random.Random(11)))

    def test_noise_under_tool_declarations_validates(self):
        self.assertTrue(check_grammar.check_tools(self.arguments(),
                                                  random.Random(12)))

    def test_a_wrong_answer_would_be_noticed(self):
        self.assertIsNotNone(check_grammar.validate(
            {"type": "object", "required": ["a"]}, {}))


if __name__ == "__main__":
    unittest.main()
