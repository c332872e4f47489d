// What is rendered as a call is parsed back as the same call, for random
// schemas and values.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "chat/fake_tokenizer.h"
#include "chat/output_parser.h"
#include "chat/python_text.h"

namespace carat {
namespace {

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  size_t Below(size_t n) { return random_() % n; }
  template <size_t n>
  std::string Pick(const char* const (&list)[n]) {
    return list[Below(n)];
  }

  std::string String() {
    constexpr const char* kPieces[] = {
        "",       "a",       "Oslo",       " ",        "\n",
        "\"",     "'",       "{",          "}",        "[",
        "]",      ",",       ":",          "\\",       "é",
        "日本",   "🙂",      "שלום",       "a\u0301",  "<tool_call|>",
        "<|\"|>", "<turn|>", "<|channel>", "call:f{}", "null",
        "true",   "1.5",     "\t",         "\x01",     "=",
        "(",      ")",       "```",        "<escape>", "\xC2\x85"};
    std::string out;
    for (size_t n = Below(6); n > 0; --n) out += Pick(kPieces);
    return out;
  }
  std::string Number() {
    constexpr const char* kNumbers[] = {"0",
                                        "-1",
                                        "9007199254740993",
                                        "123456789012345678901234567890",
                                        "-9223372036854775808",
                                        "18446744073709551616",
                                        "0.0",
                                        "-0.0",
                                        "2.0",
                                        "0.1",
                                        "1e-07",
                                        "1e+16",
                                        "1000000000000000.0",
                                        "1.5e+300",
                                        "5e-324",
                                        "1.7976931348623157e+308",
                                        "0.0001",
                                        "1e-05",
                                        "-12.5"};
    return Pick(kNumbers);
  }
  std::string Key() {
    constexpr const char* kKeys[] = {
        "a",  "B",    "city", "k b",  "k-b", "k.b", "_z", "Zip", "ключ",
        "日", "type", "0",    "it's", "a/b", "🙂",  "$x", "a(b)"};
    return Pick(kKeys);
  }
  ExactJson Value(int depth) {
    switch (Below(depth < 4 ? 8 : 5)) {
      case 0:
      case 1:
        return ExactJson::String(String());
      case 2:
        return ExactJson::Number(Number());
      case 3:
        return ExactJson::Bool(Below(2) == 0);
      case 4:
        return ExactJson();
      case 5: {
        ExactJson list = ExactJson::Array();
        for (size_t n = Below(4); n > 0; --n) {
          list.items.push_back(Value(depth + 1));
        }
        return list;
      }
      default:
        return Object(depth + 1);
    }
  }
  ExactJson Object(int depth) {
    ExactJson object = ExactJson::Object();
    for (size_t n = Below(5); n > 0; --n) object.Set(Key(), Value(depth));
    return object;
  }

 private:
  std::mt19937 random_;
};

// A schema that describes `value`, sometimes leaving things open.
ExactJson SchemaOf(const ExactJson& value, Maker* maker) {
  ExactJson schema = ExactJson::Object();
  if (maker->Below(6) == 0) return schema;
  const bool number = value.is_number();
  schema.Set("type", ExactJson::String(value.is_null() ? "null"
                                       : !number       ? value.kind_name()
                                       : maker->Below(2) == 0 ? "number"
                                                              : "integer"));
  if (value.is_object()) {
    ExactJson properties = ExactJson::Object();
    for (const ExactJson::Member& member : value.members) {
      properties.Set(member.key, SchemaOf(member.value, maker));
    }
    schema.Set("properties", std::move(properties));
  }
  if (value.is_array() && !value.items.empty()) {
    schema.Set("items", SchemaOf(value.items.front(), maker));
  }
  return schema;
}

ExactJson Sorted(const ExactJson& value) {
  ExactJson out = value;
  for (ExactJson& item : out.items) item = Sorted(item);
  std::vector<ExactJson::Member> members;
  for (const ExactJson::Member* member : SortedMembers(value)) {
    members.push_back({member->key, Sorted(member->value)});
  }
  out.members = std::move(members);
  return out;
}

void CheckRoundTrips(std::string_view format_name, uint32_t seed) {
  const auto format = std::move(MakeChatFormat(format_name)).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  Maker maker(seed);
  const ExactJson arguments = maker.Object(0);
  std::vector<ToolDeclaration> tools;
  if (maker.Below(4) > 0) {
    // Values of the wrong type must survive too: half the schemas describe
    // other arguments.
    const ExactJson described =
        maker.Below(2) == 0 ? arguments : maker.Object(0);
    ExactJson schema = SchemaOf(described, &maker);
    if (!HasType(&schema, "string")) {
      tools.push_back({.name = "f",
                       .description = "",
                       .parameters = schema.Dump(),
                       .response = ""});
    }
  }
  const std::vector<Message> messages = {
      Message(Role::kAssistant, {ToolCall{"", "f", arguments.Dump()},
                                 ToolCall{"", "g.h-i", arguments.Dump()}})};
  const Result<RenderedPrompt> prompt = format->Render(messages, {});
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  const Result<std::vector<TokenId>> ids =
      TokenizeSegments(tokenizer, prompt->segments, format->syntax().reserved);
  ASSERT_TRUE(ids.ok());

  // The output begins with the first call.
  const TokenId open = *tokenizer.Find(format->syntax().call_open);
  OutputParser parser(&tokenizer, *format, OutputState::kContent, tools);
  std::vector<OutputEvent> events;
  bool begun = false;
  for (const TokenId id : *ids) {
    begun = begun || id == open;
    if (begun) parser.Add(id, &events);
  }
  EXPECT_EQ(parser.Finish(OutputParser::Cut::kNo, &events),
            OutputFinish::kToolCalls);
  const std::vector<Part>& parts = parser.message().parts;
  ASSERT_EQ(parts.size(), 2u) << SegmentsToString(prompt->segments);
  std::vector<std::string> streamed(2);
  for (const OutputEvent& event : events) {
    if (event.kind == OutputEvent::Kind::kCallArguments) {
      streamed.at(static_cast<size_t>(event.call)) += event.text;
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    const ToolCall& call = std::get<ToolCall>(parts[i]);
    EXPECT_EQ(call.name, i == 0 ? "f" : "g.h-i");
    EXPECT_EQ(streamed[i], call.arguments);
    // A string may be fitted to a declared number or boolean; otherwise the
    // values are the same.
    const ExactJson back = *ExactJson::Parse(call.arguments);
    ExactJson expected = Sorted(arguments);
    if (i == 0 && !tools.empty()) {
      const ExactJson schema = *ExactJson::Parse(tools[0].parameters);
      expected = FitToSchema(std::move(expected), schema, &schema);
    }
    EXPECT_EQ(back.Dump(), expected.Dump())
        << "seed " << seed << " " << SegmentsToString(prompt->segments);
  }
}

TEST(CallRoundTrip, Gemma4CallsParseBack) {
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    CheckRoundTrips("gemma4-small", seed);
    if (HasFailure()) break;
  }
}

TEST(CallRoundTrip, FunctionGemmaCallsParseBack) {
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    CheckRoundTrips("functiongemma", seed);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace carat
