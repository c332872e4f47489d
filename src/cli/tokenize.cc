#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/token_ids.h"
#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

struct TokenizeArguments {
  std::string model;
  std::optional<std::string> text;
  std::optional<std::string> ids;
  bool bos = false;
  bool special = false;
  bool pieces = false;
  bool json = false;
  bool lines = false;
  bool decode_lines = false;
};

std::vector<TokenId> Encode(const Tokenizer& tokenizer,
                            const TokenizeArguments& arguments,
                            std::string_view text) {
  std::vector<TokenId> ids = tokenizer.Encode(
      text, arguments.special ? SpecialText::kParse : SpecialText::kPlain);
  if (arguments.bos && tokenizer.bos() >= 0) {
    ids.insert(ids.begin(), tokenizer.bos());
  }
  return ids;
}

Json IdsToJson(const std::vector<TokenId>& ids) {
  Json::Array out;
  out.reserve(ids.size());
  for (const TokenId id : ids) out.emplace_back(static_cast<int64_t>(id));
  return Json(std::move(out));
}

int PrintIds(const Tokenizer& tokenizer, const TokenizeArguments& arguments,
             const std::vector<TokenId>& ids) {
  if (arguments.json) {
    Json pieces = Json::MakeArray();
    for (const TokenId id : ids) {
      pieces.Append(SanitizeUtf8(tokenizer.Piece(id)));
    }
    Json out = Json::MakeObject();
    out.Set("count", static_cast<int64_t>(ids.size()));
    out.Set("ids", IdsToJson(ids));
    out.Set("pieces", std::move(pieces));
    Print(out.Dump() + "\n");
  } else if (arguments.pieces) {
    std::string out;
    for (const TokenId id : ids) {
      out += fmt::format("{}\t{}\n", id,
                         JsonQuote(SanitizeUtf8(tokenizer.Piece(id))));
    }
    Print(out);
  } else {
    Print(fmt::format("{}\n", fmt::join(ids, " ")));
  }
  return kExitOk;
}

int DecodeIds(const Tokenizer& tokenizer, const TokenizeArguments& arguments) {
  const auto ids = ParseIds(tokenizer, *arguments.ids);
  if (!ids.ok()) return Fail(ids.status());
  const std::string text = tokenizer.Decode(*ids, arguments.special);
  if (arguments.json) {
    Json out = Json::MakeObject();
    out.Set("text", SanitizeUtf8(text));
    Print(out.Dump() + "\n");
  } else {
    Print(text + "\n");
  }
  return kExitOk;
}

Result<std::string> BytesOfHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    const std::string byte = hex.substr(i, 2);
    if (byte.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      break;
    }
    out.push_back(static_cast<char>(std::stoi(byte, nullptr, 16)));
  }
  if (out.size() * 2 != hex.size()) {
    return InvalidArgument("\"hex\" is not pairs of hexadecimal digits.");
  }
  return out;
}

// A JSON string, or {"hex": "..."} for bytes that are not UTF-8.
Result<std::string> EncodeLine(const Tokenizer& tokenizer,
                               const TokenizeArguments& arguments,
                               std::string_view line) {
  CARAT_ASSIGN_OR_RETURN(const Json json, Json::Parse(line));
  std::string text;
  if (json.is_string()) {
    text = json.as_string();
  } else if (const Json* hex = json.Find("hex"); hex && hex->is_string()) {
    CARAT_ASSIGN_OR_RETURN(text, BytesOfHex(hex->as_string()));
  } else {
    return InvalidArgument(
        fmt::format("expected a JSON string, found {}", json.type_name()));
  }
  return fmt::format("[{}]\n",
                     fmt::join(Encode(tokenizer, arguments, text), ","));
}

Result<std::string> DecodeLine(const Tokenizer& tokenizer,
                               const TokenizeArguments& arguments,
                               std::string_view line) {
  CARAT_ASSIGN_OR_RETURN(const Json json, Json::Parse(line));
  if (!json.is_array()) {
    return InvalidArgument(fmt::format("expected a JSON array of ids, found {}",
                                       json.type_name()));
  }
  std::vector<TokenId> ids;
  for (const Json& id : json.as_array()) {
    if (!id.is_int()) return InvalidArgument("expected whole numbers");
    CARAT_RETURN_IF_ERROR(CheckId(tokenizer, id.as_int()));
    ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  return JsonQuote(SanitizeUtf8(tokenizer.Decode(ids, arguments.special))) +
         "\n";
}

// One answer a line, in order; a line that cannot be read ends the program.
int RunLines(const Tokenizer& tokenizer, const TokenizeArguments& arguments) {
  constexpr size_t kFlushBytes = 1 << 16;
  std::string out;
  char* line = nullptr;
  size_t capacity = 0;
  int code = kExitOk;
  for (int64_t number = 1;; ++number) {
    const ssize_t n = getline(&line, &capacity, stdin);
    if (n < 0) break;
    const std::string_view text(line, static_cast<size_t>(n));
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
    Result<std::string> answer = arguments.decode_lines
                                     ? DecodeLine(tokenizer, arguments, text)
                                     : EncodeLine(tokenizer, arguments, text);
    if (!answer.ok()) {
      Print(out);
      out.clear();
      code = Fail(answer.status().WithContext(fmt::format("line {}", number)));
      break;
    }
    out += *answer;
    if (out.size() < kFlushBytes) continue;
    if (!Print(out)) break;
    out.clear();
  }
  std::free(line);
  Print(out);
  return code;
}

int Tokenize(const TokenizeArguments& arguments) {
  const auto path = FindModel(arguments.model);
  if (!path.ok()) return Fail(path.status());
  const auto file = ModelFile::Open(*path);
  if (!file.ok()) return Fail(file.status());
  const auto tokenizer = Tokenizer::FromModelFile(**file);
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  if (arguments.lines || arguments.decode_lines) {
    return RunLines(**tokenizer, arguments);
  }
  if (arguments.ids) return DecodeIds(**tokenizer, arguments);
  const std::string text = arguments.text ? *arguments.text : ReadStdin();
  return PrintIds(**tokenizer, arguments, Encode(**tokenizer, arguments, text));
}

}  // namespace

void AddTokenizeCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("tokenize", "Turn text into token ids and back");
  auto a = std::make_shared<TokenizeArguments>();
  command->add_option("MODEL", a->model, "The model")->required();
  auto* text = command->add_option("TEXT", a->text, "Text; else stdin is read");
  auto* ids =
      command->add_option("--ids", a->ids, "Decode these ids, \"2,651\"");
  command->add_flag("--bos", a->bos, "Begin with the BOS token");
  command->add_flag("--special", a->special,
                    "Text such as <bos> means the control token; when "
                    "decoding, write control tokens out");
  auto* pieces =
      command->add_flag("--pieces", a->pieces, "One token a line, with piece");
  auto* json = command->add_flag("--json", a->json, "One JSON object");
  auto* lines = command->add_flag(
      "--lines", a->lines,
      "Batch: a JSON string a line on stdin (or {\"hex\":\"..\"} for bytes), "
      "a JSON array of ids a line on stdout");
  auto* decode = command->add_flag("--decode-lines", a->decode_lines,
                                   "Batch the other way: arrays to strings");
  text->excludes(ids);
  pieces->excludes(json);
  for (CLI::Option* batch : {lines, decode}) {
    batch->excludes(text);
    batch->excludes(ids);
    batch->excludes(json);
    batch->excludes(pieces);
  }
  lines->excludes(decode);
  command->footer(
      "Examples:\n"
      "  carat tokenize gemma3 \"Hello world\"\n"
      "  carat tokenize gemma3 --pieces < text.txt\n"
      "  carat tokenize gemma3 --ids 9259,1902\n"
      "  printf '\"Hello\"\\n\"world\"\\n' | carat tokenize gemma3 --lines");
  command->callback([a, chosen] { *chosen = [a] { return Tokenize(*a); }; });
}

}  // namespace carat
