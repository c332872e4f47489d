"""Random JSON schemas of the kinds that APIs accept, for check_grammar.py."""

KEYS = ["a", "b", "name", "na", "age", "x-y", "two words", "id", "ID",
        "caf\u00e9", "q\"t", "b\\s", "list", "\u65e5\u672c", "a:b", "_z"]
PATTERNS = ["^[a-z]{2,5}$", "^\\d{3}-\\d{4}$", "ab+c", "^(foo|bar)?$",
            "^[A-Z][a-z]*( [A-Z][a-z]*)*$", "x.y", "^.{2,6}$", "\\.txt$",
            "^[^/\\s]+$", "[\u00e0-\u00ff]", "^\\S+@\\S+$", "\"q\"", "\\\\"]
FORMATS = ["date", "time", "date-time", "uuid", "email", "ipv4", "ipv6",
           "uri", "hostname", "duration", "uri-reference", "json-pointer"]


class Generator:
    def __init__(self, rng, tools):
        self.rng = rng
        self.tools = tools
        self.defs = {}

    def number(self, integer):
        r = self.rng
        if integer or r.random() < 0.4:
            return r.choice([0, 1, -1, 7, 10, 42, 99, 100, 1000, -250,
                             r.randint(-10**6, 10**6),
                             r.randint(-10**15, 10**15)])
        return r.choice([0.5, -1.5, 0.1, 2.25, 1e-3, 99.99, -0.001, 1e5,
                         round(r.uniform(-100, 100), r.randint(0, 5)),
                         r.uniform(-1, 1)])

    def bounds(self, integer):
        r = self.rng
        low, high = sorted([self.number(integer), self.number(integer)])
        schema = {}
        if r.random() < 0.6:
            schema[r.choice(["minimum", "exclusiveMinimum"])] = low
        if r.random() < 0.6:
            schema[r.choice(["maximum", "exclusiveMaximum"])] = high
        if len(schema) == 2 and high - low < 2:
            schema = {"minimum": low, "maximum": high}
        if integer and r.random() < 0.15 and (high - low > 100
                                               or len(schema) < 2):
            schema["multipleOf"] = r.choice([2, 3, 5, 7, 10, 12])
        return schema

    def string(self):
        r = self.rng
        pick = r.random()
        if pick < 0.35:
            return {"type": "string"}
        if pick < 0.5:
            low = r.randint(0, 5)
            schema = {"type": "string", "minLength": low}
            if r.random() < 0.7:
                schema["maxLength"] = low + r.randint(0, 40)
            return schema
        if pick < 0.65:
            schema = {"type": "string", "pattern": r.choice(PATTERNS)}
            if r.random() < 0.2:
                schema["maxLength"] = 30
            return schema
        if pick < 0.8:
            return {"type": "string", "format": r.choice(FORMATS)}
        return {"type": "string", "enum": r.sample(
            ["red", "green", "r", "", "a b", "\u00fc", "q\"", "<b>", "1"],
            r.randint(1, 4))}

    def value(self, depth):
        r = self.rng
        pick = r.random()
        if depth <= 0 or pick < 0.25:
            return self.string()
        if pick < 0.40:
            kind = r.choice(["integer", "number"])
            return {"type": kind, **self.bounds(kind == "integer")}
        if pick < 0.45:
            return {"type": r.choice(["boolean", "null"])}
        if pick < 0.50:
            return {"type": [r.choice(["string", "integer", "object"]),
                             "null"]}
        if pick < 0.55:
            return r.choice([{"enum": [1, "a", None, True, 2.5, [1, "b"],
                                       {"k": "v"}]},
                             {"const": r.choice([1, "c", None, -3.5])}])
        if pick < 0.67:
            return self.array(depth)
        if pick < 0.74:
            return {"anyOf": [self.value(depth - 1)
                              for _ in range(r.randint(1, 3))]}
        if pick < 0.77:
            return {"oneOf": [{"type": "string", "maxLength": 4},
                              self.object(depth - 1, "k1")]}
        if pick < 0.81:
            return {"allOf": [self.object(depth - 1, None), {
                "properties": {"extra": self.value(0)},
                "required": ["extra"]}]}
        if pick < 0.86:
            name = r.choice(["node", "leaf", "pair"])
            if name not in self.defs:
                self.defs[name] = True
                self.defs[name] = self.recursive(name, depth - 1)
            return {"$ref": "#/$defs/" + name}
        if pick < 0.88 and not self.tools:
            return r.choice([{}, True, {"type": "object"},
                             {"type": "array"}])
        return self.object(depth, None)

    def recursive(self, name, depth):
        return {"type": "object", "properties": {
            "value": self.value(min(depth, 1)),
            "next": {"anyOf": [{"$ref": "#/$defs/" + name},
                               {"type": "null"}]},
            "kids": {"type": "array", "maxItems": 3,
                     "items": {"$ref": "#/$defs/" + name}}},
            "required": ["value", "next"],
            "additionalProperties": False}

    def array(self, depth):
        r = self.rng
        schema = {"type": "array"}
        if r.random() < 0.25:
            schema["prefixItems"] = [self.value(depth - 1)
                                     for _ in range(r.randint(1, 3))]
            schema["items"] = r.choice([False, self.value(depth - 1)])
        else:
            schema["items"] = self.value(depth - 1)
        if r.random() < 0.6:
            low = r.randint(0, 3)
            schema["minItems"] = low
            if r.random() < 0.7:
                schema["maxItems"] = low + r.randint(0, 4)
        if schema.get("items") is False:
            schema.pop("minItems", None)
        return schema

    def object(self, depth, constant):
        r = self.rng
        names = r.sample(KEYS, r.randint(0, 6))
        properties = {name: self.value(depth - 1) for name in names}
        if constant:
            properties = {"kind": {"const": constant}, **properties}
        schema = {"type": "object", "properties": properties}
        schema["required"] = [n for n in properties if r.random() < 0.5]
        if constant:
            schema["required"] = ["kind"] + [
                n for n in schema["required"] if n != "kind"]
        pick = r.random()
        if pick < 0.5:
            schema["additionalProperties"] = False
        elif pick < 0.65:
            schema["additionalProperties"] = self.value(0)
        if r.random() < 0.2:
            schema["propertyOrdering"] = r.sample(names, len(names))
        return schema

    def root(self):
        schema = self.object(3, None) if self.tools or self.rng.random() < 0.7 \
            else self.value(3)
        if self.defs and isinstance(schema, dict):
            schema = {**schema, "$defs": self.defs}
        return schema
