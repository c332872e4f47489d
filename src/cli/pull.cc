#include "store/hub/pull.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/pull_progress_view.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "store/roots.h"

namespace carat {
namespace {

struct PullArguments {
  std::string name;
  std::string from_file;
  std::string sha256;
  std::string revision;
  std::string quantisation;
  bool projector = true;
  bool dry_run = false;
  bool json = false;
  bool quiet = false;
  int retries = 6;
  int timeout_seconds = 60;
};

Result<PullRequest> RequestOf(const PullArguments& a) {
  CARAT_ASSIGN_OR_RETURN(HubName name, ParseHubName(a.name));
  if (!a.quantisation.empty() || !a.revision.empty()) {
    // Read together with the name, so that both pass the same checks.
    std::string full = name.repository;
    const std::string& selector =
        a.quantisation.empty() ? name.selector : a.quantisation;
    const std::string& revision =
        a.revision.empty() ? name.revision : a.revision;
    if (!selector.empty()) full += ":" + selector;
    if (!revision.empty()) full += "@" + revision;
    const std::string short_name =
        a.quantisation.empty() ? name.short_name : "";
    CARAT_ASSIGN_OR_RETURN(name, ParseHubName(full));
    name.short_name = short_name;
  }
  return PullRequest{
      .name = std::move(name),
      .projector = a.projector ? Projector::kInclude : Projector::kLeaveOut,
      .dry_run = a.dry_run};
}

Result<PullOutcome> FromHub(const PullArguments& a, PullProgressView* view,
                            const PullListener& progress) {
  CARAT_ASSIGN_OR_RETURN(const PullRequest request, RequestOf(a));
  CARAT_ASSIGN_OR_RETURN(HubEndpoint endpoint, ReadHubEndpoint());
  const auto fetcher = NewHttpFetcher({.stall_seconds = a.timeout_seconds});
  return PullModel(
      request, {.models_folder = ModelsFolder(),
                .endpoint = std::move(endpoint),
                .fetcher = fetcher.get(),
                .retry = {.retries = a.retries},
                .progress = progress,
                .note = [view](const std::string& line) { view->Note(line); }});
}

Result<PullOutcome> FromFile(const PullArguments& a,
                             const PullListener& progress) {
  return ImportModel(
      {.source = a.from_file,
       .name = a.name,
       .sha256 = a.sha256,
       .projector = a.projector ? Projector::kInclude : Projector::kLeaveOut,
       .dry_run = a.dry_run},
      ModelsFolder(), progress);
}

Json ToJson(const PullOutcome& outcome, bool dry_run) {
  const PulledModel& model = outcome.model;
  Json files = Json::MakeArray();
  for (const PulledFile& file : model.files) {
    Json one = Json::MakeObject();
    one.Set("path", file.path);
    one.Set("bytes", file.bytes);
    if (!file.sha256.empty()) one.Set("sha256", file.sha256);
    files.Append(std::move(one));
  }
  Json out = Json::MakeObject();
  out.Set("name", model.name);
  if (!model.repository.empty()) {
    out.Set("repository", model.repository);
    out.Set("revision", model.revision);
  }
  if (!model.quantisation.empty()) out.Set("quantisation", model.quantisation);
  out.Set("path", outcome.path);
  out.Set("bytes", model.bytes());
  out.Set("fetched_bytes", outcome.fetched_bytes);
  out.Set("dry_run", dry_run);
  out.Set("files", std::move(files));
  return out;
}

void PrintPlan(const PullOutcome& outcome) {
  Table table({Align::kRight, Align::kLeft});
  for (const PulledFile& file : outcome.model.files) {
    table.Row({HumanBytes(file.bytes), file.path});
  }
  Print(table.ToString("  "));
}

void PrintOutcome(const PullOutcome& outcome, bool dry_run) {
  const PulledModel& model = outcome.model;
  std::string from;
  if (!model.repository.empty()) {
    from = fmt::format(" from {} at {}", model.repository,
                       model.revision.substr(0, 12));
  }
  if (dry_run) {
    Print(fmt::format("Would make {}{}: {}, of which {} are fetched.\n",
                      model.name, from, HumanBytes(model.bytes()),
                      HumanBytes(outcome.fetched_bytes)));
    PrintPlan(outcome);
    return;
  }
  Print(fmt::format("{}{}: {}, {}.\n", model.name, from,
                    HumanBytes(model.bytes()),
                    outcome.fetched_bytes == 0
                        ? std::string("all of it was here")
                        : HumanBytes(outcome.fetched_bytes) + " fetched"));
  Print(fmt::format("Try: carat run {} \"Hello\"\n", model.name));
}

int Pull(const PullArguments& a) {
  if (a.from_file.empty() && !a.sha256.empty()) {
    return FailUsage("--sha256 belongs to --from-file; a hub says its own.");
  }
  if (!a.from_file.empty() &&
      (!a.revision.empty() || !a.quantisation.empty())) {
    return FailUsage("--revision and --quant are for hubs, not --from-file.");
  }
  InterruptGuard guard;
  PullProgressView view(a.json || a.quiet ? PullProgressView::Kind::kSilent
                                          : PullProgressView::Kind::kShown);
  const PullListener progress = [&view](const PullProgress& now) {
    view.Show(now);
    return !InterruptGuard::Interrupted();
  };
  const auto outcome =
      a.from_file.empty() ? FromHub(a, &view, progress) : FromFile(a, progress);
  view.End();
  if (!outcome.ok()) {
    if (outcome.status().code() == StatusCode::kCancelled &&
        a.from_file.empty()) {
      PrintNote("carat: what has come is kept; the same command goes on.");
    }
    return Fail(outcome.status());
  }
  if (a.json) {
    Print(ToJson(*outcome, a.dry_run).Dump(2) + "\n");
  } else {
    PrintOutcome(*outcome, a.dry_run);
  }
  return kExitOk;
}

}  // namespace

void AddPullCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "pull", "Download a model from Hugging Face, or take one from a file");
  auto a = std::make_shared<PullArguments>();
  command
      ->add_option("NAME", a->name,
                   "A short name (gemma4:e2b-qat), or ORG/REPO with "
                   ":QUANTISATION or :FILE and @REVISION; with --from-file "
                   "the model's new name")
      ->required();
  command->add_option("--quant", a->quantisation,
                      "Which quantisation or file of the repository");
  command->add_option("--revision", a->revision,
                      "Branch, tag or commit; default: main. The commit is "
                      "recorded");
  command->add_flag("--include-mmproj,!--no-mmproj", a->projector,
                    "Whether to fetch the vision and audio tower beside a "
                    "GGUF; default: if there is one");
  command
      ->add_option("--from-file", a->from_file,
                   "Copy a GGUF file or a folder of this machine instead")
      ->type_name("PATH");
  command->add_option("--sha256", a->sha256,
                      "What the file of --from-file must have");
  command->add_flag("--dry-run", a->dry_run, "Say what would be fetched");
  command->add_flag("--json", a->json, "One JSON object");
  command->add_flag("--quiet", a->quiet, "No progress");
  command
      ->add_option("--retries", a->retries,
                   "Attempts without a new byte before giving up")
      ->check(CLI::Range(0, 1000).description(""))
      ->capture_default_str();
  command
      ->add_option("--timeout", a->timeout_seconds,
                   "Seconds without a byte until a connection is given up")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  command->footer(
      "Downloads go on where they were broken off and are checked against the\n"
      "hub's SHA-256 before they get their names. Models with a licence to be\n"
      "accepted need HF_TOKEN, or the file ~/.cache/huggingface/token.\n"
      "HF_ENDPOINT names another hub; https_proxy and no_proxy hold;\n"
      "CARAT_MODELS names the folder. docs/pull.md has the short names.\n"
      "\n"
      "Examples:\n"
      "  carat pull gemma4:e2b-qat\n"
      "  carat pull google/gemma-3-1b-it-qat-q4_0-gguf\n"
      "  carat pull unsloth/gemma-3-4b-it-GGUF:Q4_K_M --no-mmproj\n"
      "  carat pull mine:1b --from-file ./model.gguf");
  command->callback([a, chosen] { *chosen = [a] { return Pull(*a); }; });
}

}  // namespace carat
