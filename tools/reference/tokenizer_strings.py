"""Varied strings for tokenizer tests, the same for the same seed."""

import os
import re

SENTENCES = """The quick brown fox jumps over the lazy dog, doesn't it?
It's 3:45 p.m.; we've paid $1,234.56 (about 10%) for "that".
Der Vogel fliegt über die Straße, während ich Äpfel esse.
L'été dernier, j'ai rêvé d'une île où l'on ne parlait qu'à voix basse.
El niño pequeño comió una manzana — ¡qué rica estaba!
Любой человек имеет право на образование и отдых.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι.
כל בני האדם נולדו בני חורין ושווים.
يولد جميع الناس أحرارا متساوين في الكرامة.
सभी मनुष्य जन्म से स्वतन्त्र हैं।
সকল মানুষ স্বাধীনভাবে জন্মগ্রহণ করে।
எல்லா மனிதரும் சுதந்திரமாகப் பிறக்கின்றனர்.
มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน
ផ្លូវ​នេះ​វែង​ណាស់
すべての人間は、生まれながらにして自由であり、平等である。
人人生而自由，在尊严和权利上一律平等。
모든 인간은 태어날 때부터 자유로우며 평등하다.
Tất cả mọi người sinh ra đều được tự do và bình đẳng.
Tüm insanlar özgür, onur ve haklar bakımından eşit doğar.
Zażółć gęślą jaźń; příliš žluťoučký kůň úpěl ďábelské ódy.
ყველა ადამიანი იბადება თავისუფალი.
Բոլոր մարդիկ ծնվում են ազատ։
ሁሉም ሰዎች ነጻ ሆነው ይወለዳሉ።
int main() { for (int i = 0; i < n; ++i) x[i] += y[i] * 2.5f; return 0; }
def f(a, b=None):\n    return [x ** 2 for x in a if x is not b]
SELECT id, name FROM users WHERE age >= 21 AND name LIKE '%son' ORDER BY 1;
<html><body><h1>Title</h1><p class="x">Text &amp; more</p></body></html>
{"key": [1, 2.0, null, true], "nested": {"a b": "c\\n"}}
https://example.org/path/to?query=a%20b&x=1#frag user@example.com
2024-02-29T23:59:60Z 0xDEADBEEF 1e-07 3.14159 1,000,000
👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 👍🏽 ❤️ ✈️ 1️⃣ 🤷‍♀️
∀x∈ℝ: ∃y ∑ᵢ aᵢ² ≤ ∫f(x)dx → ½⅓ ∞ ≠ ≈ √2
┌──┬──┐ │  │ ═══ ████ ▁▂▃▄▅▆▇ ▁▁▁ ▁
e\u0301 a\u030a o\u0308\u0304 n\u0303 Z\u0351\u0343\u0334a\u0337l\u0322g\u0321o
""".splitlines()

# Where characters of a kind begin and end.
RANGES = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x3FF),
    (0x400, 0x52F), (0x530, 0x5FF), (0x600, 0x77F), (0x900, 0xDFF),
    (0xE00, 0xFFF), (0x1000, 0x137F), (0x1780, 0x18AF), (0x1E00, 0x1FFF),
    (0x2000, 0x206F), (0x2070, 0x2BFF), (0x2581, 0x2588), (0x3000, 0x30FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE100),
    (0xF900, 0xFFFD), (0x10000, 0x103FF), (0x1D400, 0x1D7FF),
    (0x1F000, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE007F),
    (0x10FF00, 0x10FFFF), (0x00, 0x1F), (0x7F, 0x9F),
]

BLANKS = [" ", "\n", "\t", "\r", "\r\n", "\u00a0", "\u2581", "\u3000",
          "\u200b", "\x0b", "\x0c", "\u2028", "\ufeff"]

MARKERS = """<bos> <eos> <pad> <unk> <mask> [multimodal] <start_of_turn>
<end_of_turn> <start_of_image> <end_of_image> <image_soft_token> <unused0>
<unused99> <unused6241> <|turn> <turn|> <|channel> <channel|> <|tool> <tool|>
<|tool_call> <tool_call|> <|tool_response> <tool_response|> <|think|> <|"|>
<|image> <|image|> <image|> <|audio> <|audio|> <audio|> <|video|> </s> <s>
<0x0A> <0xE2> <0x00> <table> </table> <td> <h1> <b> </b> <escape> <2mass>
<|im_start|> <|endoftext|> [INST] [@BOS@]""".split()

MARKER = re.compile(
    r"""<(pad|eos|bos|unk|mask|2mass|escape|image|audio|unused\d+
        |(start|end)_(of|function)_[\w-]*|[\w-]*_soft_token
        |\|([\w-]+|")|([\w-]+|")\||\|([\w-]+|")\|)>
        |\[multimodal\]|\[@BOS@\]""",
    re.VERBOSE | re.ASCII,
)


def is_marker(piece):
    """Whether plain text must never turn into `piece`."""
    return MARKER.fullmatch(piece) is not None


def library_text(limit):
    """Source code and prose that every Python installation carries."""
    folder = os.path.dirname(os.__file__)
    parts = []
    for name in sorted(os.listdir(folder)):
        if name.endswith((".py", ".txt")):
            with open(
                os.path.join(folder, name), encoding="utf-8", errors="replace"
            ) as file:
                parts.append(file.read())
    licences = "/usr/share/common-licenses"
    if os.path.isdir(licences):
        for name in sorted(os.listdir(licences)):
            with open(
                os.path.join(licences, name), encoding="utf-8",
                errors="replace"
            ) as file:
                parts.append(file.read())
    return "".join(parts)[-limit:]


class Maker:
    """Makes strings of ten kinds in turn."""

    def __init__(self, rng, vocabulary, library=True):
        self.rng = rng
        self.pieces = sorted(
            piece.replace("\u2581", " ")
            for piece in vocabulary
            if not piece.startswith("<unused")
        )
        self.library = library_text(8 << 20) if library else ""

    def make(self, count):
        kinds = [
            self.some_pieces, self.glued_pieces, self.excerpt, self.sentence,
            self.characters, self.one_script, self.blanks, self.markers,
            self.repetition, self.random_bytes,
        ]
        return [kinds[i % len(kinds)]() for i in range(count)]

    def some_pieces(self):
        rng = self.rng
        return "".join(rng.choices(self.pieces, k=rng.randint(1, 25)))

    def glued_pieces(self):
        rng = self.rng
        pieces = rng.choices(self.pieces, k=rng.randint(1, 12))
        return "".join(piece.strip() for piece in pieces)

    def excerpt(self):
        if not self.library:
            return self.sentence()
        size = self.rng.randint(1, 400)
        start = self.rng.randrange(len(self.library) - size)
        return self.library[start:start + size]

    def sentence(self):
        rng = self.rng
        text = rng.choice(SENTENCES)
        if rng.random() < 0.5:
            other = rng.choice(SENTENCES)
            cut = rng.randint(0, len(text))
            text = text[:cut] + other[rng.randint(0, len(other)):] + text[cut:]
        if rng.random() < 0.2:
            text = rng.choice([text.upper(), text.lower(), text[::-1]])
        return text

    def characters(self):
        rng = self.rng
        return "".join(
            chr(rng.randint(*rng.choice(RANGES)))
            for _ in range(rng.randint(1, 60))
        )

    def one_script(self):
        rng = self.rng
        low, high = rng.choice(RANGES)
        return "".join(
            chr(rng.randint(low, high)) if rng.random() < 0.85 else " "
            for _ in range(rng.randint(1, 80))
        )

    def blanks(self):
        rng = self.rng
        parts = []
        for _ in range(rng.randint(1, 8)):
            parts.append(rng.choice(BLANKS[:4] if rng.random() < 0.6
                                    else BLANKS)
                         * rng.choice([1, 1, 2, 3, 5, 8, 30, 31, 32, 33,
                                       61, 62, 63, 64, 70]))
            if rng.random() < 0.5:
                parts.append(rng.choice(self.pieces))
        return "".join(parts)

    def markers(self):
        rng = self.rng
        parts = []
        for _ in range(rng.randint(1, 5)):
            marker = rng.choice(MARKERS)
            if rng.random() < 0.3:
                cut = rng.randrange(len(marker))
                marker = marker[:cut] + marker[cut + 1:]
            parts.append(rng.choice(["", "", " ", "\n", "<", "|",
                                     rng.choice(self.pieces)]))
            parts.append(marker)
        return "".join(parts)

    def repetition(self):
        rng = self.rng
        unit = "".join(
            rng.choice("ab-=_.*#/\\|~!?0 1xA\u2500\u4e00\U0001f600")
            if rng.random() < 0.8 else chr(rng.randint(*rng.choice(RANGES)))
            for _ in range(rng.randint(1, 3))
        )
        text = unit * rng.randint(1, 90)
        return text + rng.choice(["", " ", "x", rng.choice(self.pieces)])

    def random_bytes(self):
        rng = self.rng
        data = rng.randbytes(rng.randint(1, 60))
        return data.decode(rng.choice(["utf-8", "latin-1", "utf-16-le",
                                       "cp437"]), errors="replace")
