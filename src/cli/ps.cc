#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/read_file.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "store/http_fetcher.h"
#include "store/roots.h"

namespace carat {
namespace {

constexpr uint64_t kMaxAnswerBytes = 4 << 20;
constexpr int kMaxDepth = 32;

struct PsArguments {
  std::string url = "http://127.0.0.1:11435";
  std::string key_file;
  bool json = false;
};

// CARAT_API_KEY, or the first line of the key file that the server reads too.
Result<std::string> KeyOf(const PsArguments& a) {
  std::string key = ProcessEnv("CARAT_API_KEY");
  if (!a.key_file.empty()) {
    CARAT_ASSIGN_OR_RETURN(key, ReadTextFile(a.key_file));
    key.erase(std::min(key.find('\n'), key.size()));
    if (key.ends_with('\r')) key.pop_back();
  }
  const bool plain = std::all_of(key.begin(), key.end(),
                                 [](char c) { return c > 0x20 && c < 0x7F; });
  if (plain) return key;
  return InvalidArgument("The API key has characters that no key has.");
}

Result<Json> Ask(const PsArguments& a) {
  CARAT_ASSIGN_OR_RETURN(const std::string key, KeyOf(a));
  std::string url = a.url;
  while (url.ends_with('/')) url.pop_back();
  // A server of this machine is not behind a proxy.
  const auto fetcher = NewHttpFetcher(
      {.connect_seconds = 10, .stall_seconds = 30, .use_proxies = false});
  auto answer = FetchText(
      fetcher.get(),
      {.url = url + "/api/ps", .bearer = key, .max_bytes = kMaxAnswerBytes},
      nullptr);
  if (!answer.ok()) {
    return Status(
        answer.status().code(),
        fmt::format("{} Is carat serve running there? --url names another "
                    "address.",
                    answer.status().message()));
  }
  const int status = answer->head.status;
  if (status == 401 || status == 403) {
    return Status(StatusCode::kPermissionDenied,
                  "The server asks for a key: give --api-key-file or set "
                  "CARAT_API_KEY.");
  }
  if (status != 200) {
    return FailedPrecondition(
        fmt::format("{} answers {} instead of 200.", a.url, status));
  }
  return Json::Parse(answer->body, kMaxDepth);
}

std::string Text(const Json& model, const char* key) {
  const Json* value = model.Find(key);
  if (value == nullptr) return "-";
  if (value->is_string()) return SanitizeUtf8(value->as_string());
  return value->is_int() ? Grouped(value->as_int()) : "-";
}

std::string Bytes(const Json& model, const char* key) {
  const Json* value = model.Find(key);
  return value != nullptr && value->is_int() && value->as_int() >= 0
             ? HumanBytes(static_cast<uint64_t>(value->as_int()))
             : "-";
}

// "2026-11-24T14:00:00.5Z" -> "2026-11-24 14:00:00 UTC"; years far away mean
// never.
std::string Expiry(const Json& model) {
  const std::string time = Text(model, "expires_at");
  constexpr size_t kSeconds = sizeof("2026-11-24T14:00:00") - 1;
  if (time.size() < kSeconds) return time;
  if (time.substr(0, 4) > "2200") return "never";
  std::string out = time.substr(0, kSeconds);
  out[10] = ' ';
  return out + (time.ends_with('Z') ? " UTC" : "");
}

int Ps(const PsArguments& a) {
  const auto answer = Ask(a);
  if (!answer.ok()) return Fail(answer.status());
  const Json* models = answer->Find("models");
  if (models == nullptr || !models->is_array()) {
    return Fail(Malformed(a.url + " answers without a list of models."));
  }
  if (a.json) {
    Print(answer->Dump(2) + "\n");
    return kExitOk;
  }
  if (models->as_array().empty()) {
    PrintNote("No model is in memory.");
    return kExitOk;
  }
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
               Align::kRight, Align::kLeft});
  table.Row({"NAME", "MEMORY", "CONTEXT", "RUNNING", "QUEUED", "UNTIL"});
  for (const Json& model : models->as_array()) {
    table.Row({Text(model, "name"), Bytes(model, "size"),
               Text(model, "context_length"),
               Text(model, "generations_running"),
               Text(model, "generations_queued"), Expiry(model)});
  }
  Print(table.ToString());
  return kExitOk;
}

}  // namespace

void AddPsCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "ps", "Show the models that a running carat serve has in memory");
  auto a = std::make_shared<PsArguments>();
  command->add_option("--url", a->url, "The server's address")
      ->capture_default_str();
  command->add_option("--api-key-file", a->key_file,
                      "File whose first line is a key of the server; default: "
                      "CARAT_API_KEY");
  command->add_flag("--json", a->json, "The server's answer as JSON");
  command->footer(
      "Examples:\n"
      "  carat ps\n"
      "  carat ps --url http://127.0.0.1:11434 --json");
  command->callback([a, chosen] { *chosen = [a] { return Ps(*a); }; });
}

}  // namespace carat
