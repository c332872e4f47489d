#include "chat/chat_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "chat/gemma3_format.h"
#include "chat/gemma4_format.h"

namespace carat {
namespace {

constexpr std::array<std::string_view, 12> kNames = {"gemma4-small",
                                                     "gemma4-large",
                                                     "gemma3",
                                                     "functiongemma",
                                                     "none",
                                                     "gemma4-v1",
                                                     "gemma4-v2-small",
                                                     "gemma4-v2-large",
                                                     "gemma4-v3-small",
                                                     "gemma4-v3-large",
                                                     "gemma4-v4-small",
                                                     "gemma4-v4-large"};

std::string NameList() {
  return fmt::format("auto, {}", fmt::join(kNames, ", "));
}

bool Contains(std::string_view text, std::string_view mark) {
  return text.find(mark) != std::string_view::npos;
}

bool Has(const Tokenizer* tokenizer, std::string_view piece) {
  return tokenizer != nullptr && tokenizer->Find(piece).has_value();
}

// The family whose marks a template bears, as a format name. Empty when it is
// none of ours.
std::string_view FamilyOf(const FormatHints& hints) {
  const std::string_view text = hints.chat_template;
  if (Contains(text, "<|turn>")) {
    // Only the large sizes' templates write an empty thought channel. The
    // first revision was one file for all sizes; there the model decides.
    if (Contains(text, "<|channel>thought\\n<channel|>")) return "gemma4-large";
    const bool first =
        Contains(text, "<|tool_call>call:") && !Contains(text, "tool_call_id");
    if (first) {
      return hints.per_layer_embeddings ? "gemma4-small" : "gemma4-large";
    }
    return "gemma4-small";
  }
  if (Contains(text, "<start_function_declaration>") ||
      Contains(text, "<start_function_call>")) {
    return "functiongemma";
  }
  if (Contains(text, "<start_of_turn>")) return "gemma3";
  return {};
}

// Gemma models with a task of their own: their templates bear the marks of
// Gemma 3, but plain conversations are not what they were trained on.
Status CheckSpecial(std::string_view chat_template) {
  std::string_view model, task;
  if (Contains(chat_template, "source_lang_code")) {
    model = "TranslateGemma";
    task = "translations with named languages";
  } else if (Contains(chat_template, "SAFETY_POLICY")) {
    model = "ShieldGemma";
    task = "safety judgements";
  } else {
    return OkStatus();
  }
  return Unsupported(fmt::format(
      "This model has {}'s chat template, which takes {} instead of "
      "conversations, and carat has no format for it. Talk to it as to any "
      "Gemma 3 with --chat-format gemma3.",
      model, task));
}

// What kind of template a foreign one is, for the message.
std::string Describe(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"<|im_start|>", "ChatML marks (<|im_start|>)"},
      {"<|start_header_id|>", "Llama 3 marks (<|start_header_id|>)"},
      {"[INST]", "Llama 2 or Mistral marks ([INST])"},
      {"<|assistant|>", "Phi or Zephyr marks (<|assistant|>)"},
      {"### Instruction", "Alpaca marks (### Instruction)"}};
  for (const auto& [mark, words] : kKnown) {
    if (Contains(text, mark)) return std::string(words);
  }
  return fmt::format("none of the known marks; it begins {}",
                     QuoteForMessage(text));
}

// A format can only be used with a vocabulary that has its turn token.
Status CheckVocabulary(const ChatFormat& format, const FormatHints& hints) {
  const std::string_view piece = format.syntax().turn_end;
  if (piece.empty() || hints.tokenizer == nullptr ||
      Has(hints.tokenizer, piece)) {
    return OkStatus();
  }
  return Unsupported(fmt::format(
      "The chat format {} needs the token {}, which this model's vocabulary "
      "does not have. Choose another --chat-format ({}).",
      format.name(), piece, NameList()));
}

Result<std::string_view> DetectName(const FormatHints& hints) {
  if (hints.chat_template.empty()) {
    // FunctionGemma is the one instruction-tuned model that its vocabulary
    // alone gives away.
    const bool functions = Has(hints.tokenizer, "<start_function_call>");
    return std::string_view(functions ? "functiongemma" : "none");
  }
  CARAT_RETURN_IF_ERROR(CheckSpecial(hints.chat_template));
  const std::string_view family = FamilyOf(hints);
  if (!family.empty()) return family;
  return Unsupported(fmt::format(
      "The chat template in this model{} is of no family that carat knows: it "
      "has {}. carat never runs embedded templates; if you know which format "
      "the model was trained on, force it with --chat-format (one of {}).",
      hints.architecture.empty()
          ? ""
          : fmt::format(" (architecture {})",
                        QuoteForMessage(hints.architecture)),
      Describe(hints.chat_template), NameList()));
}

}  // namespace

std::span<const std::string_view> ChatFormatNames() { return kNames; }

Result<std::unique_ptr<ChatFormat>> MakeChatFormat(std::string_view name) {
  if (name == "gemma3") {
    return std::unique_ptr<ChatFormat>(std::make_unique<Gemma3Format>());
  }
  if (name == "functiongemma") {
    return std::unique_ptr<ChatFormat>(std::make_unique<FunctionGemmaFormat>());
  }
  if (name == "none") {
    return std::unique_ptr<ChatFormat>(std::make_unique<PlainFormat>());
  }
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
    return InvalidArgument(
        fmt::format("There is no chat format {}; --chat-format takes {}.",
                    QuoteForMessage(name), NameList()));
  }
  Gemma4Revision revision;
  const size_t v = name.find("-v");
  if (v != name.npos) revision.number = name[v + 2] - '0';
  revision.large = name.ends_with("-large");
  return std::unique_ptr<ChatFormat>(
      std::make_unique<Gemma4Format>(name, revision));
}

Result<std::unique_ptr<ChatFormat>> DetectChatFormat(const FormatHints& hints,
                                                     std::string_view forced) {
  std::string_view name = forced;
  if (name.empty() || name == "auto") {
    CARAT_ASSIGN_OR_RETURN(name, DetectName(hints));
  }
  CARAT_ASSIGN_OR_RETURN(std::unique_ptr<ChatFormat> format,
                         MakeChatFormat(name));
  CARAT_RETURN_IF_ERROR(CheckVocabulary(*format, hints));
  return format;
}

Result<std::unique_ptr<ChatFormat>> DetectChatFormat(const ModelFile& file,
                                                     const Tokenizer& tokenizer,
                                                     std::string_view forced) {
  FormatHints hints{.chat_template = file.chat_template(),
                    .architecture = {},
                    .per_layer_embeddings = false,
                    .tokenizer = &tokenizer};
  // GGUF and Hugging Face names of the table of per-layer embeddings.
  for (const TensorView& tensor : file.tensors()) {
    if (Contains(tensor.name, "per_layer_token_embd") ||
        Contains(tensor.name, "embed_tokens_per_layer")) {
      hints.per_layer_embeddings = true;
    }
  }
  std::string architecture;
  if (const Json* type = file.config().Find("model_type");
      type != nullptr && type->is_string()) {
    architecture = type->as_string();
  } else if (Result<std::optional<std::string_view>> named =
                 file.metadata().String("general.architecture");
             named.ok() && named->has_value()) {
    architecture = std::string(**named);
  }
  hints.architecture = architecture;
  return DetectChatFormat(hints, forced);
}

}  // namespace carat
