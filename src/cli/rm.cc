#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "store/hub/unfinished.h"
#include "store/own_models.h"
#include "store/roots.h"
#include "store/store.h"

namespace carat {
namespace {

struct RmArguments {
  std::vector<std::string> names;
  bool partial = false;
  bool yes = false;
};

// Every name is found before anything is deleted.
Result<std::vector<FoundModel>> FindAll(const RmArguments& a) {
  const Store store(DefaultRoots());
  std::vector<FoundModel> out;
  for (const std::string& name : a.names) {
    auto found = store.Resolve("carat:" + name);
    if (!found.ok()) found = store.Resolve(name);  // "carat:..." in full
    if (found.ok() && found->store == StoreKind::kCarat) {
      out.push_back(std::move(found).value());
      continue;
    }
    const auto& other = found;
    if (other.ok()) {
      return FailedPrecondition(
          fmt::format("{} belongs to {} and lies at {}; delete it there.",
                      other->name, StoreKindTitle(other->store), other->path));
    }
    return other.status();
  }
  return out;
}

bool Confirmed(const std::vector<FoundModel>& models,
               const std::vector<Unfinished>& unfinished) {
  for (const FoundModel& model : models) {
    PrintNote(fmt::format("{}  {}  {}", Visible(model.name),
                          HumanBytes(model.bytes), Visible(model.path)));
  }
  for (const Unfinished& one : unfinished) {
    PrintNote(fmt::format("unfinished  {}  {}", HumanBytes(one.bytes),
                          Visible(one.path)));
  }
  PrintAside("Delete? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void DropPartial(size_t found) {
  const std::vector<Unfinished> gone = DropUnfinished(ModelsFolder(), 0);
  uint64_t bytes = 0;
  for (const Unfinished& one : gone) bytes += one.bytes;
  Print(fmt::format("Deleted {} unfinished download(s), {}.\n", gone.size(),
                    HumanBytes(bytes)));
  if (gone.size() < found) {
    PrintNote(fmt::format("carat: note: {} stay(s): under way right now.",
                          found - gone.size()));
  }
}

int Rm(const RmArguments& a) {
  if (a.names.empty() && !a.partial) {
    return FailUsage("Name the models to delete, or give --partial.");
  }
  const auto models = FindAll(a);
  if (!models.ok()) return Fail(models.status());
  std::vector<Unfinished> unfinished;
  if (a.partial) unfinished = ListUnfinished(ModelsFolder());
  if (a.names.empty() && unfinished.empty()) {
    PrintNote("There are no unfinished downloads.");
    return kExitOk;
  }
  if (!a.yes) {
    if (!StdinIsTerminal()) {
      return FailUsage("Nobody is there to be asked; give --yes.");
    }
    if (!Confirmed(*models, unfinished)) {
      PrintNote("Nothing was deleted.");
      return kExitError;
    }
  }
  const OwnModels own(ModelsFolder());
  for (const FoundModel& model : *models) {
    const Status status = own.Remove(model.name, model.path);
    if (!status.ok()) return Fail(status);
    Print(fmt::format("Deleted {}.\n", Visible(model.name)));
  }
  if (!unfinished.empty()) DropPartial(unfinished.size());
  return kExitOk;
}

}  // namespace

void AddRmCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "rm", "Delete models from carat's own folder, and only from there");
  auto a = std::make_shared<RmArguments>();
  command->add_option("NAME", a->names, "Names of carat list");
  command->add_flag("--partial", a->partial,
                    "Delete what unfinished downloads left");
  command->add_flag("--yes,-y", a->yes, "Do not ask");
  command->footer(
      "Models of Ollama, Hugging Face and LM Studio are never touched. Files\n"
      "that another pulled model needs stay.\n"
      "\n"
      "Examples:\n"
      "  carat rm gemma4:e2b-qat\n"
      "  carat rm --yes gemma3:270m gemma3:1b\n"
      "  carat rm --partial");
  command->callback([a, chosen] { *chosen = [a] { return Rm(*a); }; });
}

}  // namespace carat
