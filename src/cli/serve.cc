#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/router.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/engine_options.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "server/access.h"
#include "server/http_server.h"
#include "server/line_writer.h"
#include "server/metrics.h"
#include "server/operations.h"
#include "server/request_log.h"
#include "server/store_model_host.h"
#include "store/hub/pull.h"
#include "store/roots.h"

namespace carat {
namespace {

struct ServeArguments {
  EngineArguments engine;
  ServerOptions server;
  ApiOptions api;
  std::vector<std::string> models;
  std::vector<std::string> aliases;
  std::string config;
  std::string key_file;
  std::string log = "logfmt";
  bool insecure = false;
  bool allow_pull = false;
  double memory_gib = 0;
  double kv_gib = 0;
  int64_t keep_alive_s = 300;
  int drain_seconds = 30;
  int max_body_mib = 64;
  int slots = 16;
};

uint64_t GibToBytes(double gib) {
  return static_cast<uint64_t>(gib * (1 << 30));
}

// A wrong command line, found before anything is opened.
Status Check(ServeArguments* a) {
  if (a->server.tls_certificate.empty() != a->server.tls_key.empty()) {
    return InvalidArgument("--tls-cert and --tls-key belong together.");
  }
  if (!a->key_file.empty()) {
    CARAT_ASSIGN_OR_RETURN(a->server.access.key_digests,
                           ReadKeyFile(a->key_file));
  }
  const bool loopback = IsLoopbackName(a->server.host);
  if (!loopback && a->key_file.empty() && !a->insecure) {
    return InvalidArgument(fmt::format(
        "{} can be reached from other machines, and no API key is asked for. "
        "Give --api-key-file FILE, or --insecure if that is what you want.",
        a->server.host));
  }
  a->server.access.check_host =
      loopback || !a->server.access.allowed_hosts.empty();
  a->server.limits.body_bytes = static_cast<uint64_t>(a->max_body_mib) << 20;
  return OkStatus();
}

// Downloads for clients, as carat pull does them.
Status PullForClient(const std::string& text, const PullListener& progress) {
  CARAT_ASSIGN_OR_RETURN(HubName name, ParseHubName(text));
  CARAT_ASSIGN_OR_RETURN(HubEndpoint endpoint, ReadHubEndpoint());
  const auto fetcher = NewHttpFetcher({});
  return PullModel({.name = std::move(name)}, {.models_folder = ModelsFolder(),
                                               .endpoint = std::move(endpoint),
                                               .fetcher = fetcher.get(),
                                               .progress = progress})
      .status();
}

Result<ModelHostOptions> HostOptions(const ServeArguments& a,
                                     LineWriter* lines) {
  ModelHostOptions out;
  out.models = a.models;
  for (const std::string& alias : a.aliases) {
    const size_t equals = alias.find('=');
    if (equals == 0 || equals == std::string::npos ||
        equals + 1 == alias.size()) {
      return InvalidArgument("--alias " + alias + " is not NAME=MODEL.");
    }
    out.aliases[alias.substr(0, equals)] = alias.substr(equals + 1);
  }
  out.engine.threads = a.engine.threads;
  out.engine.context_tokens = a.engine.context_tokens;
  out.engine.kv_type = a.engine.kv_type();
  out.engine.chat_format = a.engine.chat_format;
  out.engine.max_sequences = a.slots;
  // Every loaded model keeps its prompts apart by its own content.
  out.engine.cache_dir = a.engine.cache_dir;
  out.engine.cache_dir_bytes = a.engine.cache_bytes;
  CARAT_RETURN_IF_ERROR(SetPackedCache(a.engine, &out.engine));
  out.engine.kv_bytes = a.kv_gib > 0 ? GibToBytes(a.kv_gib) : 0;
  out.memory_bytes = GibToBytes(a.memory_gib);
  out.keep_alive_s = a.keep_alive_s;
  out.roots = DefaultRoots();
  out.models_folder = ModelsFolder();
  if (a.allow_pull) out.pull = PullForClient;
  if (a.log != "off") {
    out.note = [lines](const std::string& line) {
      lines->Write("carat: " + line);
    };
  }
  return out;
}

// The handler of all routes.
HttpHandler Routes(const OperationsContext& operations, Api* api) {
  return [operations, api](const HttpRequest& request, HttpReply* reply) {
    // HEAD is GET whose body stays here. Ollama's blobs tell them apart.
    if (request.method == "HEAD" && !request.path.starts_with("/api/blobs/")) {
      HttpRequest get = request;
      get.method = "GET";
      if (!HandleOperation(operations, get, reply)) api->Handle(get, reply);
      return;
    }
    if (!HandleOperation(operations, request, reply)) {
      api->Handle(request, reply);
    }
  };
}

// Warnings of the library go where the request log goes.
class LogSinkGuard {
 public:
  explicit LogSinkGuard(LineWriter* lines) {
    SetLogSink([lines](LogLevel level, std::string_view line) {
      lines->Write(fmt::format("carat: {}: {}", LogLevelName(level), line));
    });
  }
  ~LogSinkGuard() { SetLogSink({}); }
  LogSinkGuard(const LogSinkGuard&) = delete;
  LogSinkGuard& operator=(const LogSinkGuard&) = delete;
};

LogFormat FormatNamed(const std::string& name) {
  if (name == "off") return LogFormat::kOff;
  return name == "json" ? LogFormat::kJson : LogFormat::kLogfmt;
}

// After SIGHUP: the keys of the file count from now on. A file that is wrong
// changes nothing.
void ReloadKeys(const std::string& path, HttpServer* server,
                LineWriter* lines) {
  if (path.empty()) {
    lines->Write("carat: SIGHUP: there is no --api-key-file to read again");
    return;
  }
  auto digests = ReadKeyFile(path);
  if (!digests.ok()) {
    lines->Write(
        fmt::format("carat: error: SIGHUP: the keys stay as they were: {}",
                    digests.status().message()));
    return;
  }
  const size_t count = digests->size();
  server->SetKeys(std::move(digests).value());
  lines->Write(
      fmt::format("carat: SIGHUP: {} holds {} key(s) now", path, count));
}

int Serve(ServeArguments a) {
  const Status checked = Check(&a);
  if (!checked.ok()) return FailUsage(checked.message());
  // stderr may be a pipe that nobody reads for a while: no thread that answers
  // requests waits for it.
  LineWriter lines(STDERR_FILENO);
  const LogSinkGuard sink(&lines);
  auto host_options = HostOptions(a, &lines);
  if (!host_options.ok()) return FailUsage(host_options.status().message());
  auto host = StoreModelHost::Create(std::move(host_options).value());
  if (!host.ok()) return Fail(host.status());

  InterruptGuard guard;
  // A server that somebody started by hand, without keys, goes with its
  // terminal.
  std::optional<HangupGuard> hangup;
  if (!a.key_file.empty() || isatty(STDIN_FILENO) == 0) hangup.emplace();
  Api api(host->get(), a.api);
  Metrics metrics;
  std::atomic<bool> ready{false};
  std::atomic<HttpServer*> running{nullptr};
  const OperationsContext operations = {
      .host = host->get(),
      .metrics = &metrics,
      .ready = [&] { return ready.load(); },
      .stats =
          [&] {
            HttpServer* server = running.load();
            return server == nullptr ? ServerStats() : server->stats();
          }};
  const LogFormat format = FormatNamed(a.log);
  auto server = HttpServer::Start(a.server, Routes(operations, &api),
                                  [&](const RequestRecord& record) {
                                    metrics.Add(record);
                                    if (format == LogFormat::kOff) return;
                                    lines.Write(FormatRecord(format, record));
                                  });
  if (!server.ok()) return Fail(server.status());
  running = server->get();
  const bool v6 = (*server)->address().find(':') != std::string::npos;
  lines.Write(fmt::format("carat: listening on {}://{}{}{}:{}",
                          a.server.tls_certificate.empty() ? "http" : "https",
                          v6 ? "[" : "", (*server)->address(), v6 ? "]" : "",
                          (*server)->port()));
  const auto go_on = [&] {
    if (HangupGuard::Take()) ReloadKeys(a.key_file, server->get(), &lines);
    return !InterruptGuard::Interrupted();
  };
  const Status loaded = (*host)->LoadPinned(go_on);
  // Ending while models load is no failure.
  const bool failed = !loaded.ok() && !InterruptGuard::Interrupted();
  if (!failed) {
    ready = loaded.ok();
    while (go_on()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    lines.Write("carat: ending; a second signal ends at once");
  }
  ready = false;
  (*host)->Shutdown();
  (*server)->Stop(failed ? 0 : a.drain_seconds * 1000, nullptr);
  running = nullptr;
  server->reset();
  return failed ? Fail(loaded) : kExitOk;
}

void AddSafetyOptions(CLI::App& command, ServeArguments* a) {
  command.add_option("--api-key-file", a->key_file,
                     "Ask for a key: a file with one on each line, readable "
                     "by its owner only");
  command.add_flag("--insecure", a->insecure,
                   "Allow a public address without a key");
  command.add_flag("--allow-pull", a->allow_pull,
                   "Let clients download models (Ollama's /api/pull), with "
                   "this machine's HF_TOKEN");
  command.add_option("--tls-cert", a->server.tls_certificate,
                     "Certificate chain (PEM): serve HTTPS");
  command.add_option("--tls-key", a->server.tls_key, "Its private key (PEM)");
  command.add_option("--allow-host", a->server.access.allowed_hosts,
                     "Another name by which this server is reached");
  command.add_option("--allow-origin", a->server.access.allowed_origins,
                     "Web pages that may ask, e.g. http://localhost:3000; * "
                     "for all");
  command
      .add_option("--max-body", a->max_body_mib, "Largest request body, in MiB")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->capture_default_str();
  command
      .add_option("--max-connections", a->server.limits.connections,
                  "Connections at the same time")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->capture_default_str();
  command
      .add_option("--max-requests", a->server.limits.requests,
                  "Requests being answered at the same time; more get 503")
      ->check(CLI::Range(1, 4096).description(""))
      ->capture_default_str();
}

void AddModelHostOptions(CLI::App& command, ServeArguments* a) {
  command.add_option("--alias", a->aliases,
                     "Another name for a model, NAME=MODEL; *=MODEL catches "
                     "every unknown name");
  command
      .add_option("--memory", a->memory_gib,
                  "Memory for models in GiB; default: 90% of what is free")
      ->check(CLI::Range(0.0, 1e6).description(""));
  command
      .add_option("--kv-memory", a->kv_gib,
                  "Memory for the caches of one model's conversations in GiB; "
                  "default: a context and a quarter of what is free")
      ->check(CLI::Range(0.0, 1e6).description(""));
  AddCacheOptions(command, &a->engine);
  AddPackedCacheOptions(command, &a->engine);
  command
      .add_option("--files-dir", a->api.files_folder,
                  "Folder for files that clients upload; empty: none")
      ->type_name("DIR")
      ->capture_default_str();
  command
      .add_option("--keep-alive", a->keep_alive_s,
                  "Seconds an idle model stays in memory; -1: for ever. "
                  "Models named here stay for ever")
      ->capture_default_str();
  command
      .add_option("--slots", a->slots,
                  "Generations of one model at the same time")
      ->check(CLI::Range(1, 256).description(""))
      ->capture_default_str();
  command
      .add_option("--ctx", a->engine.context_tokens,
                  "Context in tokens; default: the model's, or what fits")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31).description(""));
  command
      .add_option("--threads", a->engine.threads,
                  "Threads; default: the CPUs this process may use")
      ->check(CLI::Range(1, 1024).description(""));
  AddKvTypeOption(command, &a->engine);
  AddChatFormatOption(command, &a->engine);
}

}  // namespace

void AddServeCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "serve", "Answer the Gemini, OpenAI, Anthropic and Ollama protocols");
  auto a = std::make_shared<ServeArguments>();
  const std::string cache = CacheFolder();
  if (!cache.empty()) {
    a->engine.cache_dir = cache + "/prompts";
    a->api.files_folder = cache + "/files";
  }
  command->add_option("MODEL", a->models,
                      "Models that stay in memory; the first is the default. "
                      "Others on this machine are loaded when asked for");
  command->add_option("--host", a->server.host, "Address to listen on")
      ->capture_default_str();
  command->add_option("--port", a->server.port, "Port; 0: a free one")
      ->check(CLI::Range(0, 65535).description(""))
      ->capture_default_str();
  command
      ->add_option("--config", a->config,
                   "File with options, one 'name = value' a line; the command "
                   "line wins")
      ->type_name("FILE");
  AddSafetyOptions(*command, a.get());
  AddModelHostOptions(*command, a.get());
  command
      ->add_option("--drain-seconds", a->drain_seconds,
                   "How long answers may still run after SIGTERM")
      ->check(CLI::Range(0, 86400).description(""))
      ->capture_default_str();
  command->add_option("--log", a->log, "Request log: logfmt, json or off")
      ->check(CLI::IsMember({"logfmt", "json", "off"}).description(""))
      ->capture_default_str();
  command->footer(
      "Ollama's own port is 11434: --port 11434 takes its place.\n"
      "\n"
      "Examples:\n"
      "  carat serve gemma3:4b\n"
      "  carat serve --alias 'claude-sonnet-4=gemma3:4b' gemma3:4b\n"
      "  carat serve --config serve.conf\n"
      "  carat serve gemma3:4b --host 0.0.0.0 --api-key-file keys \\\n"
      "    --tls-cert cert.pem --tls-key key.pem");
  command->callback([a, command, chosen] {
    *chosen = [a, command] {
      if (!a->config.empty()) {
        const Status status = ApplyConfigFile(a->config, command);
        if (!status.ok()) return FailUsage(status.message());
      }
      return Serve(*a);
    };
  });
}

}  // namespace carat
