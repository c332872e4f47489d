#include "chat/output_parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "chat/fake_tokenizer.h"

namespace carat {
namespace {

ToolDeclaration Tool(std::string name, std::string parameters = "") {
  return {.name = std::move(name),
          .description = "",
          .parameters = std::move(parameters),
          .response = ""};
}

struct Outcome {
  std::string thought, text;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments
  std::string finish;
  std::vector<OutputEvent> events;
};

const char* FinishName(OutputFinish finish) {
  switch (finish) {
    case OutputFinish::kStop:
      return "stop";
    case OutputFinish::kToolCalls:
      return "tool_calls";
    case OutputFinish::kMalformedCall:
      return "malformed";
    case OutputFinish::kLength:
      return "length";
  }
  return "";
}

// Runs `raw` (control pieces spelled out) through a parser and checks what
// holds of every output: deltas add up to the message, argument deltas to the
// final JSON.
Outcome Parse(std::string_view raw, const std::vector<ToolDeclaration>& tools,
              OutputState state = OutputState::kContent,
              std::string_view format_name = "gemma4-small") {
  const auto format = std::move(MakeChatFormat(format_name)).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  OutputParser parser(&tokenizer, *format, state, tools);
  Outcome outcome;
  for (const TokenId id : tokenizer.Encode(raw, SpecialText::kParse)) {
    parser.Add(id, &outcome.events);
  }
  const auto cut =
      parser.ended() ? OutputParser::Cut::kNo : OutputParser::Cut::kYes;
  outcome.finish = FinishName(parser.Finish(cut, &outcome.events));
  std::vector<std::string> names, deltas;
  for (const OutputEvent& event : outcome.events) {
    switch (event.kind) {
      case OutputEvent::Kind::kThought:
        outcome.thought += event.text;
        break;
      case OutputEvent::Kind::kText:
        outcome.text += event.text;
        break;
      case OutputEvent::Kind::kCallStart:
        names.resize(static_cast<size_t>(event.call) + 1);
        deltas.resize(names.size());
        names.back() = event.text;
        break;
      case OutputEvent::Kind::kCallArguments:
        deltas.at(static_cast<size_t>(event.call)) += event.text;
        break;
      case OutputEvent::Kind::kCallEnd:
        EXPECT_EQ(deltas.at(static_cast<size_t>(event.call)), event.text);
        EXPECT_TRUE(ExactJson::Parse(event.text).ok()) << event.text;
        outcome.calls.emplace_back(names[static_cast<size_t>(event.call)],
                                   event.text);
        break;
      case OutputEvent::Kind::kCallDropped:
      case OutputEvent::Kind::kCallError:
        break;
    }
  }
  EXPECT_EQ(parser.message().text(), outcome.text);
  EXPECT_EQ(parser.message().thought(), outcome.thought);
  return outcome;
}

std::string OneCall(std::string_view raw,
                    const std::vector<ToolDeclaration>& tools) {
  const Outcome outcome = Parse(raw, tools);
  if (outcome.calls.size() != 1) return "no call; text: " + outcome.text;
  return outcome.calls[0].first + outcome.calls[0].second;
}

TEST(OutputParser, ParsesTheVectors) {
  std::ifstream file(std::string(CARAT_TEST_DATA) + "/chat/vectors.jsonl");
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const ExactJson vector = *ExactJson::Parse(line);
    const Outcome outcome =
        Parse(vector.StringAt("raw"), {Tool("f"), Tool("g.h-i")},
              vector.StringAt("state") == "thought" ? OutputState::kThought
                                                    : OutputState::kContent);
    EXPECT_EQ(outcome.thought, vector.StringAt("thought")) << line;
    EXPECT_EQ(outcome.text, vector.StringAt("content")) << line;
    EXPECT_EQ(outcome.finish, vector.StringAt("finish")) << line;
    const ExactJson* calls = vector.Find("calls");
    ASSERT_EQ(outcome.calls.size(), calls->items.size()) << line;
    for (size_t i = 0; i < outcome.calls.size(); ++i) {
      EXPECT_EQ(outcome.calls[i].first, calls->items[i].items[0].text);
      EXPECT_EQ(outcome.calls[i].second, calls->items[i].items[1].text);
    }
  }
  EXPECT_EQ(count, 15);
}

TEST(OutputParser, StreamsStringArgumentsAsTheyCome) {
  const Outcome outcome = Parse(
      "<|tool_call>call:write{n:12,text:<|\"|>one \"two\"\n<|\"|>}<tool_call|>",
      {Tool("write")});
  std::vector<std::string> deltas;
  for (const OutputEvent& event : outcome.events) {
    if (event.kind == OutputEvent::Kind::kCallArguments) {
      deltas.push_back(event.text);
    }
  }
  // "{", the number once it is complete, the string byte by byte ...
  EXPECT_GT(deltas.size(), 8u);
  EXPECT_EQ(deltas[0], "{");
  EXPECT_EQ(deltas[1], "\"n\":12");
}

TEST(OutputParser, ParallelCallsCountFromZero) {
  const Outcome outcome = Parse(
      "<|tool_call>call:f{}<tool_call|><|tool_call>call:f{}<tool_call|>"
      "between<|tool_call>call:g{}<tool_call|><|tool_response>",
      {Tool("f"), Tool("g")});
  ASSERT_EQ(outcome.calls.size(), 3u);
  EXPECT_EQ(outcome.text, "between");
  std::vector<int> starts;
  for (const OutputEvent& event : outcome.events) {
    if (event.kind == OutputEvent::Kind::kCallStart) {
      starts.push_back(event.call);
    }
  }
  EXPECT_EQ(starts, (std::vector<int>{0, 1, 2}));
}

TEST(OutputParser, StripsTheEndsAndKeepsTheMiddle) {
  const Outcome outcome = Parse(
      "<|channel>thought\n\n  why \n\n<channel|>\n\n one \n two \n<turn|>", {});
  EXPECT_EQ(outcome.thought, "why");
  EXPECT_EQ(outcome.text, "one \n two");
}

TEST(OutputParser, EmptyThoughtsMayRepeat) {
  const Outcome outcome = Parse(
      "<|channel>thought\n<channel|><|channel>thought<channel|><|channel>"
      "<channel|>Yes<turn|>",
      {});
  EXPECT_EQ(outcome.thought, "");
  EXPECT_EQ(outcome.text, "Yes");
}

TEST(OutputParser, OtherChannelsAreText) {
  EXPECT_EQ(Parse("<|channel>final<channel|>x<turn|>", {}).text, "finalx");
}

TEST(OutputParser, SpelledControlTokensAreOrdinaryText) {
  const auto format = std::move(MakeChatFormat("gemma4-small")).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  OutputParser parser(&tokenizer, *format, OutputState::kContent, {Tool("f")});
  std::vector<OutputEvent> events;
  const std::string text = "write <|tool_call>call:f{}<tool_call|><turn|> so";
  for (const TokenId id : tokenizer.Encode(text, SpecialText::kPlain)) {
    parser.Add(id, &events);
  }
  parser.Finish(OutputParser::Cut::kYes, &events);
  EXPECT_EQ(parser.message().text(), text);
}

TEST(OutputParser, NoControlTokenLeaksWhateverItsPlace) {
  const auto format = std::move(MakeChatFormat("gemma4-large")).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  for (TokenId id = 256; id < tokenizer.vocab_size(); ++id) {
    OutputParser parser(&tokenizer, *format, OutputState::kContent, {});
    std::vector<OutputEvent> events;
    for (const TokenId each : {TokenId{'a'}, id, id, TokenId{'b'}}) {
      parser.Add(each, &events);
    }
    parser.Finish(OutputParser::Cut::kYes, &events);
    for (const OutputEvent& event : events) {
      EXPECT_EQ(event.text.find('<'), std::string::npos) << tokenizer.Piece(id);
    }
  }
}

TEST(OutputParser, UnreadableCallIsAnErrorWithTheRawText) {
  const std::string raw = "<|tool_call>call:other{a:\"b}<tool_call|><turn|>";
  const Outcome outcome = Parse(raw, {Tool("f")});
  EXPECT_EQ(outcome.finish, "malformed");
  ASSERT_FALSE(outcome.events.empty());
  EXPECT_EQ(outcome.events.back().kind, OutputEvent::Kind::kCallError);
  EXPECT_EQ(outcome.events.back().text, "call:other{a:\"b}");
}

TEST(OutputParser, CutCallsAreDroppedAtEveryPosition) {
  const std::string raw =
      "Hi<|tool_call>call:f{s:<|\"|>a{b}<|\"|>,n:[1,{x:2}]}<tool_call|>";
  const auto format = std::move(MakeChatFormat("gemma4-small")).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  const std::vector<TokenId> ids = tokenizer.Encode(raw, SpecialText::kParse);
  const std::string whole = R"({"s":"a{b}","n":[1,{"x":2}]})";
  for (size_t n = 0; n <= ids.size(); ++n) {
    OutputParser parser(&tokenizer, *format, OutputState::kContent,
                        {Tool("f")});
    std::vector<OutputEvent> events;
    for (size_t i = 0; i < n; ++i) parser.Add(ids[i], &events);
    EXPECT_EQ(parser.Finish(OutputParser::Cut::kYes, &events),
              OutputFinish::kLength);
    EXPECT_EQ(parser.message().has_tool_calls(), n == ids.size());
    std::string given;
    for (const OutputEvent& event : events) {
      if (event.kind == OutputEvent::Kind::kCallArguments) given += event.text;
    }
    EXPECT_EQ(whole.substr(0, given.size()), given);
  }
}

TEST(OutputParser, CharactersAreNeverCut) {
  const Outcome outcome =
      Parse("é🙂<|tool_call>call:f{s:<|\"|>日本<|\"|>}<tool_call|><turn|>",
            {Tool("f")});
  for (const OutputEvent& event : outcome.events) {
    EXPECT_TRUE(IsValidUtf8(event.text));
  }
  EXPECT_EQ(outcome.text, "é🙂");
  EXPECT_EQ(outcome.calls[0].second, R"({"s":"日本"})");
}

TEST(OutputParser, MissingOpeningTokenIsForgivenOnlyWithTheClosingOne) {
  const std::vector<ToolDeclaration> tools = {Tool("f")};
  EXPECT_EQ(OneCall("Hm. call:f{a:<|\"|>b<|\"|>}<tool_call|><turn|>", tools),
            R"(f{"a":"b"})");
  EXPECT_EQ(Parse("Hm. call:f{a:1} is how<turn|>", tools).text,
            "Hm. call:f{a:1} is how");
  EXPECT_EQ(Parse("call:g{a:1}<tool_call|><turn|>", tools).text, "call:g{a:1}");
  EXPECT_EQ(Parse("recall:f{}<tool_call|><turn|>", tools).text, "recall:f{}");
}

TEST(OutputParser, UnclosedCallsEndWithTheNextOne) {
  const Outcome outcome = Parse(
      "<|tool_call>call:f{a:1}<|tool_call>call:f{s:<|\"|>x}<tool_call|>"
      "<|tool_call>call:f{a:3}<tool_call|><turn|>",
      {Tool("f")});
  ASSERT_EQ(outcome.calls.size(), 3u);
  EXPECT_EQ(outcome.calls[0].second, R"({"a":1})");
  EXPECT_EQ(outcome.calls[1].second, R"({"s":"x"})");
  EXPECT_EQ(outcome.calls[2].second, R"({"a":3})");
}

TEST(OutputParser, DialectsOfDeclaredToolsAreRepaired) {
  const std::vector<ToolDeclaration> tools = {
      Tool("f", R"({"type":"object","properties":{"city":{"type":"string"},
        "n":{"type":"integer"},"on":{"type":"boolean"},"x":{"type":"number"},
        "tags":{"type":"array","items":{"type":"string"}},
        "o":{"type":"object","properties":{"k":{"type":"string"}}}}})")};
  const std::pair<const char*, const char*> kCases[] = {
      {"call:f{city:<|\"|>Oslo<|\"|>", R"({"city":"Oslo"})"},
      {"call:f{o:{k:<|\"|>v<|\"|>", R"({"o":{"k":"v"}})"},
      {"call:f{o:{k:<|\"|>v}}", R"({"o":{"k":"v"}})"},
      {"call:f{tags:[<|\"|>a<|\"|>,<|\"|>b<|\"|>}", R"({"tags":["a","b"]})"},
      {"call:f{tags:[a, b]}", R"({"tags":["a","b"]})"},
      {"call:f{city:\"Oslo\",n:2}", R"({"city":"Oslo","n":2})"},
      {"call:f{city:'Oslo'}", R"({"city":"Oslo"})"},
      {"call:f{\"city\": \"say \"hi\" now\"}", R"({"city":"say \"hi\" now"})"},
      {"call:f{city=Oslo,n=2}", R"({"city":"Oslo","n":2})"},
      {"call:f(city=<|\"|>Oslo<|\"|>)", R"({"city":"Oslo"})"},
      {":f{n:2}", R"({"n":2})"},
      {"f{n:2}", R"({"n":2})"},
      {"call:f{city:Oslo, Norway,n:2}", R"({"city":"Oslo, Norway","n":2})"},
      {"call:f{city:print(\"a, b\")}", R"x({"city":"print(\"a, b\")"})x"},
      {"call:f{<|\"|>city<|\"|>:<|\"|>Oslo<|\"|>}", R"({"city":"Oslo"})"},
      {"call:f{ n : 2 ,\n x : 1e3 }", R"({"n":2,"x":1e3})"},
      {"call:f{n:<|\"|>5<|\"|>,on:True}", R"({"n":5,"on":true})"},
      {"call:f{city:}", R"({"city":""})"},
      {"call:f{n:1,n:2}", R"({"n":1})"},
  };
  for (const auto& [body, arguments] : kCases) {
    EXPECT_EQ(OneCall("<|tool_call>" + std::string(body) +
                          "<tool_call|><|tool_response>",
                      tools),
              "f" + std::string(arguments))
        << body;
  }
}

TEST(OutputParser, UndeclaredNamesAreNeverRepaired) {
  for (const char* body : {"call:g{city:\"Oslo\"}", "call:g{a:1", "g{a:1}",
                           "call:g(a=1)", "call:no such{a:1}"}) {
    const Outcome outcome =
        Parse("<|tool_call>" + std::string(body) + "<tool_call|><turn|>",
              {Tool("f")});
    EXPECT_TRUE(outcome.calls.empty()) << body;
    EXPECT_EQ(outcome.finish, "malformed") << body;
  }
}

TEST(OutputParser, StringsSpelledWithDelimiterTextAreRepaired) {
  const auto format = std::move(MakeChatFormat("gemma4-small")).value();
  const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
  OutputParser parser(&tokenizer, *format, OutputState::kContent, {Tool("f")});
  std::vector<OutputEvent> events;
  parser.Add(*tokenizer.Find("<|tool_call>"), &events);
  for (const TokenId id : tokenizer.Encode("call:f{city:<|\"|>Oslo, N<|\"|>}",
                                           SpecialText::kPlain)) {
    parser.Add(id, &events);
  }
  parser.Add(*tokenizer.Find("<tool_call|>"), &events);
  ASSERT_TRUE(parser.message().has_tool_calls());
  EXPECT_EQ(std::get<ToolCall>(parser.message().parts[0]).arguments,
            R"({"city":"Oslo, N"})");
}

TEST(OutputParser, FunctionGemmaCalls) {
  const Outcome outcome = Parse(
      "<start_function_call>call:f{a:<escape>x, y<escape>,b:true}"
      "<end_function_call><start_function_call>call:f{}"
      "<start_function_response>",
      {Tool("f")}, OutputState::kContent, "functiongemma");
  ASSERT_EQ(outcome.calls.size(), 2u);
  EXPECT_EQ(outcome.calls[0].second, R"({"a":"x, y","b":true})");
  EXPECT_EQ(outcome.calls[1].second, "{}");
  EXPECT_EQ(outcome.finish, "tool_calls");
}

TEST(OutputParser, MedGemmaThinksOnlyAtTheStart) {
  Outcome outcome = Parse("<unused94>thought\nhm<unused95>Yes.\n<end_of_turn>",
                          {}, OutputState::kContent, "gemma3");
  EXPECT_EQ(outcome.thought, "hm");
  EXPECT_EQ(outcome.text, "Yes.");
  outcome = Parse("Yes<unused94>thought\n no<end_of_turn>", {},
                  OutputState::kContent, "gemma3");
  EXPECT_EQ(outcome.thought, "");
  EXPECT_EQ(outcome.text, "Yesthought\n no");
}

TEST(OutputParser, BaseModelTextIsLeftAlone) {
  const Outcome outcome =
      Parse(" a <|turn> b \n\n", {}, OutputState::kContent, "none");
  EXPECT_EQ(outcome.text, " a <|turn> b \n\n");
}

TEST(OutputParser, TokensBehindTheEndAreIgnored) {
  EXPECT_EQ(Parse("a<turn|>b<|channel>thought\nc", {}).text, "a");
  EXPECT_EQ(Parse("a<eos>b", {}).text, "a");
}

}  // namespace
}  // namespace carat
