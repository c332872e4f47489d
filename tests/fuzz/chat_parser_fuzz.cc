// Any sequence of tokens through the output parser. Checked besides crashes:
// argument deltas add up to the final JSON, which is valid; what comes out is
// valid UTF-8.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "chat/fake_tokenizer.h"
#include "chat/output_parser.h"

namespace carat {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

std::vector<ToolDeclaration> Tools() {
  return {
      {.name = "f",
       .description = "",
       .parameters =
           R"({"properties":{"s":{"type":"string"},"n":{"type":"integer"},
               "b":{"type":"boolean"},"l":{"type":"array","items":{"type":
               "number"}},"o":{"$ref":"#/$defs/O"}},"$defs":{"O":{"properties":
               {"o":{"$ref":"#/$defs/O"},"s":{"type":"string"}}}}})",
       .response = ""},
      {.name = "g.h-i", .description = "", .parameters = "", .response = ""}};
}

void Check(const std::vector<OutputEvent>& events) {
  std::vector<std::string> arguments;
  for (const OutputEvent& event : events) {
    if (event.kind != OutputEvent::Kind::kCallError) {
      Require(IsValidUtf8(event.text));
    }
    if (event.call < 0) continue;
    const size_t call = static_cast<size_t>(event.call);
    if (arguments.size() <= call) arguments.resize(call + 1);
    if (event.kind == OutputEvent::Kind::kCallArguments) {
      arguments[call] += event.text;
    }
    if (event.kind == OutputEvent::Kind::kCallEnd) {
      Require(arguments[call] == event.text);
      Require(ExactJson::Parse(event.text, 1000).ok());
    }
  }
}

struct Setup {
  std::unique_ptr<ChatFormat> format;
  FakeTokenizer tokenizer;
};

const Setup& SetupOf(size_t index) {
  static const std::vector<Setup> kSetups = [] {
    std::vector<Setup> setups;
    for (const std::string_view name : ChatFormatNames()) {
      auto format = std::move(MakeChatFormat(name)).value();
      FakeTokenizer tokenizer = FakeTokenizer::For(*format);
      setups.push_back({std::move(format), std::move(tokenizer)});
    }
    return setups;
  }();
  return kSetups[index % kSetups.size()];
}

void Run(std::string_view bytes) {
  const uint8_t mode = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  const auto& [format, tokenizer] = SetupOf(mode & 15);
  OutputParser parser(
      &tokenizer, *format,
      (mode & 16) != 0 ? OutputState::kThought : OutputState::kContent,
      (mode & 32) != 0 ? Tools() : std::vector<ToolDeclaration>());
  std::vector<OutputEvent> events;
  // Bytes from 0xE0 up to the vocabulary's end stand for control tokens when
  // the mode says so; otherwise pieces are spelled out.
  if ((mode & 64) != 0) {
    for (const char c : bytes) {
      const int byte = static_cast<uint8_t>(c);
      const TokenId id = byte < 0xE0 ? byte : byte - 0xE0 + 256;
      if (id < tokenizer.vocab_size()) parser.Add(id, &events);
    }
  } else {
    for (const TokenId id : tokenizer.Encode(bytes, SpecialText::kParse)) {
      parser.Add(id, &events);
    }
  }
  parser.Finish(
      (mode & 128) != 0 ? OutputParser::Cut::kYes : OutputParser::Cut::kNo,
      &events);
  Check(events);
}

}  // namespace
}  // namespace carat

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 << 16) return 0;
  carat::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
