#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "store/own_models.h"
#include "store/roots.h"
#include "store/store.h"

namespace carat {
namespace {

struct RmArguments {
  std::vector<std::string> names;
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

bool Confirmed(const std::vector<FoundModel>& models) {
  for (const FoundModel& model : models) {
    PrintNote(fmt::format("{}  {}  {}", Visible(model.name),
                          HumanBytes(model.bytes), Visible(model.path)));
  }
  PrintAside("Delete? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int Rm(const RmArguments& a) {
  const auto models = FindAll(a);
  if (!models.ok()) return Fail(models.status());
  if (!a.yes) {
    if (!StdinIsTerminal()) {
      return FailUsage("Nobody is there to be asked; give --yes.");
    }
    if (!Confirmed(*models)) {
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
  return kExitOk;
}

}  // namespace

void AddRmCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "rm", "Delete models from carat's own folder, and only from there");
  auto a = std::make_shared<RmArguments>();
  command->add_option("NAME", a->names, "Names of carat list")->required();
  command->add_flag("--yes,-y", a->yes, "Do not ask");
  command->footer(
      "Models of Ollama, Hugging Face and LM Studio are never touched. Files\n"
      "that another pulled model needs stay.\n"
      "\n"
      "Examples:\n"
      "  carat rm gemma4:e2b-qat\n"
      "  carat rm --yes gemma3:270m gemma3:1b");
  command->callback([a, chosen] { *chosen = [a] { return Rm(*a); }; });
}

}  // namespace carat
