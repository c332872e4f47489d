#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "runtime/model_info.h"
#include "store/hub/unfinished.h"
#include "store/roots.h"
#include "store/store.h"

namespace carat {
namespace {

Result<ModelInfo> InfoOf(const FoundModel& model) {
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(model.path));
  return ReadModelInfo(*file);
}

Json ToJson(const FoundModel& model) {
  Json out = Json::MakeObject();
  out.Set("name", model.name);
  out.Set("store", StoreKindName(model.store));
  out.Set("path", model.path);
  out.Set("bytes", model.bytes);
  if (!model.repository.empty()) {
    out.Set("repository", model.repository);
    out.Set("revision", model.revision);
  }
  if (!model.digest.empty()) out.Set("digest", model.digest);
  const auto info = InfoOf(model);
  if (!info.ok()) {
    out.Set("error", info.status().message());
    return out;
  }
  out.Set("architecture", info->config.architecture);
  out.Set("parameters", info->parameters);
  out.Set("quantisation", info->quantisation);
  return out;
}

int PrintTable(const Store& store) {
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kLeft,
               Align::kLeft, Align::kLeft, Align::kLeft});
  table.Row(
      {"NAME", "SIZE", "PARAMETERS", "TYPE", "STORE", "REVISION", "WHERE"});
  for (const FoundModel& model : store.models()) {
    const auto info = InfoOf(model);
    const bool good = info.ok();
    table.Row({model.name, HumanBytes(model.bytes),
               good ? HumanCount(static_cast<uint64_t>(info->parameters)) : "-",
               good ? info->quantisation : "not usable",
               StoreKindTitle(model.store),
               model.revision.empty() ? "-" : model.revision.substr(0, 12),
               model.path});
  }
  if (store.models().empty()) {
    PrintNote("No models were found. Looked in:");
    for (const StoreRoot& root : store.roots()) PrintNote("  " + root.path);
    return kExitOk;
  }
  Print(table.ToString());
  return kExitOk;
}

// What the store noticed, and what takes room without being a model.
std::vector<std::string> NotesOf(const Store& store) {
  std::vector<std::string> notes = store.notes();
  uint64_t bytes = 0;
  const auto unfinished = ListUnfinished(ModelsFolder());
  for (const Unfinished& one : unfinished) bytes += one.bytes;
  if (!unfinished.empty()) {
    notes.push_back(fmt::format(
        "{} of {} unfinished download(s); carat pull goes on with them, carat "
        "rm --partial deletes them",
        HumanBytes(bytes), unfinished.size()));
  }
  return notes;
}

int List(bool json) {
  const Store store(DefaultRoots());
  if (json) {
    Json models = Json::MakeArray();
    for (const FoundModel& model : store.models()) {
      models.Append(ToJson(model));
    }
    Json notes = Json::MakeArray();
    for (const std::string& note : NotesOf(store)) notes.Append(note);
    Json out = Json::MakeObject();
    out.Set("models", std::move(models));
    out.Set("notes", std::move(notes));
    Print(out.Dump(2) + "\n");
    return kExitOk;
  }
  const int code = PrintTable(store);
  for (const std::string& note : NotesOf(store)) {
    PrintNote("carat: note: " + note);
  }
  return code;
}

}  // namespace

void AddListCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("list", "List the models that are on this machine");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->footer(
      "Looks into carat's own folder (CARAT_MODELS) and into those of Ollama\n"
      "(OLLAMA_MODELS), Hugging Face (HF_HUB_CACHE, HF_HOME) and LM Studio.\n"
      "\n"
      "Examples:\n"
      "  carat list\n"
      "  carat list --json");
  command->callback(
      [json, chosen] { *chosen = [json] { return List(*json); }; });
}

}  // namespace carat
