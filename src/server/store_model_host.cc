#include "server/store_model_host.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "base/memory_info.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "chat/chat_format.h"
#include "formats/model_file.h"
#include "runtime/memory_plan.h"
#include "server/own_models.h"
#include "store/store.h"
#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRescan = std::chrono::seconds(2);
constexpr int64_t kSmallestContext = 2048;
constexpr size_t kMaxShownArray = 16;  // metadata arrays that are longer: size

int64_t Now() { return static_cast<int64_t>(std::time(nullptr)); }

std::string HumanGib(uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
}

// Ollama names its files by content; for others the digest stands for path,
// size and time of the last change.
std::string DigestOf(const std::string& path, uint64_t bytes,
                     int64_t modified) {
  constexpr std::string_view kBlob = "sha256-";
  const size_t slash = path.rfind('/');
  const std::string file =
      path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (file.size() == kBlob.size() + 64 && file.starts_with(kBlob)) {
    return file.substr(kBlob.size());
  }
  return Sha256Hex(fmt::format("{}\n{}\n{}", path, bytes, modified));
}

HostedModel Hosted(const FoundModel& found) {
  HostedModel model = {
      .name = found.name, .path = found.path, .bytes = found.bytes};
  struct stat info = {};
  if (stat(found.path.c_str(), &info) == 0) model.modified_s = info.st_mtime;
  model.digest = DigestOf(model.path, model.bytes, model.modified_s);
  return model;
}

// A model given by its path.
Result<HostedModel> AtPath(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(path));
  FoundModel found = {.path = path, .bytes = file->file_bytes()};
  std::filesystem::path name(path);
  if (!name.has_filename()) name = name.parent_path();
  found.name = name.extension() == ".gguf" ? name.stem() : name.filename();
  return Hosted(found);
}

Json MetaJson(const MetaValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(&value)) return *u;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* s = std::get_if<std::string_view>(&value)) {
    return SanitizeUtf8(*s);
  }
  const MetaArray& array = std::get<MetaArray>(value);
  if (array.count > kMaxShownArray) return nullptr;
  Json out = Json::MakeArray();
  for (size_t i = 0; i < array.count; ++i) {
    if (array.type == MetaType::kString) {
      out.Append(SanitizeUtf8(array.strings[i]));
    } else if (array.type == MetaType::kF32 || array.type == MetaType::kF64) {
      out.Append(array.DoubleAt(i));
    } else {
      out.Append(array.IntAt(i));
    }
  }
  return out;
}

struct Slot {
  enum class State { kLoading, kReady, kFailed };
  HostedModel model;
  State state = State::kLoading;
  Status error;
  std::shared_ptr<Engine> engine;
  uint64_t memory_bytes = 0;
  int users = 0;
  bool pinned = false;
  int64_t keep_alive_s = 0;
  Clock::time_point last_use;
  bool unload = false;  // as soon as nobody uses it
};

class HostImpl : public StoreModelHost {
 public:
  explicit HostImpl(ModelHostOptions options)
      : options_(std::move(options)), folder_(options_.models_folder) {}
  ~HostImpl() override;
  Status Open();

  std::vector<HostedModel> List() override;
  Result<HostedModel> Find(std::string_view name) override;
  Result<ModelInfo> Describe(const HostedModel& model) override;
  Result<Json> Metadata(const HostedModel& model) override;
  Result<ModelLease> Acquire(std::string_view name,
                             std::optional<int64_t> keep_alive_s) override;
  std::vector<RunningModel> Running() override;
  Status Unload(std::string_view name) override;
  Status Pull(
      const std::string& name,
      const std::function<bool(const PullProgress&)>& progress) override;
  Status Copy(const std::string& from, const std::string& to) override;
  Status Delete(const std::string& name) override;
  Status CreateFromBlob(const std::string& name,
                        const std::string& digest) override;
  bool HasBlob(const std::string& digest) override {
    return folder_.HasBlob(digest);
  }
  Status PutBlob(const std::string& digest, std::string_view bytes) override {
    return folder_.PutBlob(digest, bytes);
  }
  Status LoadPinned() override;
  void Shutdown() override;
  uint64_t memory_bytes() const override { return options_.memory_bytes; }

 private:
  using SlotPtr = std::shared_ptr<Slot>;
  using Lock = std::unique_lock<std::mutex>;

  std::shared_ptr<const Store> Scan();
  void Rescan();
  Result<HostedModel> FindOnce(std::string_view name);
  bool IsPinned(const HostedModel& model) const;
  Status Load(Slot* slot);
  // Idle models go, least recently used first, until `bytes` are free.
  bool MakeRoom(uint64_t bytes, uint64_t* free_bytes);
  void Release(const SlotPtr& slot);
  bool Expired(const Slot& slot) const;
  void ReaperLoop();
  void Note(const std::string& line) const {
    if (options_.note) options_.note(line);
  }

  ModelHostOptions options_;
  const OwnModels folder_;
  std::vector<HostedModel> pinned_;

  std::mutex scan_mutex_;
  std::shared_ptr<const Store> store_;
  Clock::time_point scanned_;
  std::map<std::string, ModelInfo> described_;  // by digest

  std::mutex load_mutex_;  // one model is loaded at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SlotPtr> slots_;  // by path
  bool stop_ = false;
  std::thread reaper_;
};

Status HostImpl::Open() {
  for (const std::string& name : options_.models) {
    if (IsModelPath(name)) {
      CARAT_ASSIGN_OR_RETURN(HostedModel model, AtPath(name));
      pinned_.push_back(std::move(model));
    } else {
      CARAT_ASSIGN_OR_RETURN(const FoundModel found, Scan()->Resolve(name));
      pinned_.push_back(Hosted(found));
    }
  }
  if (options_.memory_bytes == 0) {
    options_.memory_bytes = ReadMemoryInfo().available / 10 * 9;
  }
  if (options_.engine.threads == 0) {
    options_.engine.threads = ThreadPool::DefaultThreads();
  }
  reaper_ = std::thread([this] { ReaperLoop(); });
  return OkStatus();
}

HostImpl::~HostImpl() {
  Shutdown();
  if (reaper_.joinable()) reaper_.join();
}

Status HostImpl::LoadPinned() {
  for (const HostedModel& model : pinned_) {
    CARAT_RETURN_IF_ERROR(Acquire(model.name, std::nullopt).status());
  }
  return OkStatus();
}

void HostImpl::Shutdown() {
  std::lock_guard lock(mutex_);
  stop_ = true;
  changed_.notify_all();
}

std::shared_ptr<const Store> HostImpl::Scan() {
  std::lock_guard lock(scan_mutex_);
  if (store_ == nullptr || Clock::now() - scanned_ > kRescan) {
    store_ = std::make_shared<Store>(options_.roots);
    scanned_ = Clock::now();
  }
  return store_;
}

void HostImpl::Rescan() {
  std::lock_guard lock(scan_mutex_);
  store_.reset();
}

std::vector<HostedModel> HostImpl::List() {
  std::vector<HostedModel> out = pinned_;
  for (const FoundModel& found : Scan()->models()) {
    const bool known = std::any_of(
        out.begin(), out.end(),
        [&](const HostedModel& model) { return model.name == found.name; });
    if (!known) out.push_back(Hosted(found));
  }
  std::sort(out.begin(), out.end(),
            [](const HostedModel& a, const HostedModel& b) {
              return a.name < b.name;
            });
  return out;
}

Result<HostedModel> HostImpl::FindOnce(std::string_view name) {
  for (const HostedModel& model : pinned_) {
    if (model.name == name) return model;
  }
  // Never a path: names of requests do not reach the file system.
  auto found = Scan()->Resolve(name);
  if (found.ok()) return Hosted(*found);
  constexpr std::string_view kLatest = ":latest";
  if (found.status().code() == StatusCode::kNotFound &&
      name.ends_with(kLatest)) {
    return FindOnce(name.substr(0, name.size() - kLatest.size()));
  }
  return found.status();
}

Result<HostedModel> HostImpl::Find(std::string_view name) {
  if (name.empty()) {
    if (!pinned_.empty()) return pinned_.front();
    const std::vector<HostedModel> all = List();
    if (all.size() == 1) return all.front();
    return InvalidArgument(
        "The request names no model and the server has no default; name one "
        "of /v1/models.");
  }
  const auto alias = options_.aliases.find(std::string(name));
  if (alias != options_.aliases.end()) return FindOnce(alias->second);
  auto found = FindOnce(name);
  const auto any = options_.aliases.find("*");
  if (!found.ok() && found.status().code() == StatusCode::kNotFound &&
      any != options_.aliases.end()) {
    return FindOnce(any->second);
  }
  return found;
}

bool HostImpl::IsPinned(const HostedModel& model) const {
  return std::any_of(
      pinned_.begin(), pinned_.end(),
      [&](const HostedModel& other) { return other.path == model.path; });
}

Result<ModelInfo> HostImpl::Describe(const HostedModel& model) {
  {
    std::lock_guard lock(scan_mutex_);
    const auto known = described_.find(model.digest);
    if (known != described_.end()) return known->second;
  }
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(model.path));
  CARAT_ASSIGN_OR_RETURN(ModelInfo info, ReadModelInfo(*file));
  CARAT_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::FromModelFile(*file));
  info.capabilities = {"completion"};
  const auto format =
      DetectChatFormat(*file, *tokenizer, options_.engine.chat_format);
  if (format.ok()) {
    info.chat_format = std::string((*format)->name());
    if (info.chat_format != "none") info.capabilities.push_back("chat");
    if ((*format)->supports_tools()) info.capabilities.push_back("tools");
    if ((*format)->supports_thinking()) info.capabilities.push_back("thinking");
  }
  std::lock_guard lock(scan_mutex_);
  described_[model.digest] = info;
  return info;
}

Result<Json> HostImpl::Metadata(const HostedModel& model) {
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(model.path));
  Json out = Json::MakeObject();
  for (const auto& [key, value] : file->metadata().all()) {
    out.Set(SanitizeUtf8(key), MetaJson(value));
  }
  if (file->kind() == ModelFile::Kind::kSafetensors) out = file->config();
  return out;
}

bool HostImpl::MakeRoom(uint64_t bytes, uint64_t* free_bytes) {
  for (;;) {
    std::shared_ptr<Engine> doomed;
    {
      Lock lock(mutex_);
      uint64_t used = 0;
      SlotPtr oldest;
      for (const auto& [path, slot] : slots_) {
        if (slot->state != Slot::State::kReady) continue;
        used += slot->memory_bytes;
        if (slot->users > 0) continue;
        if (!oldest || slot->last_use < oldest->last_use) oldest = slot;
      }
      *free_bytes =
          options_.memory_bytes > used ? options_.memory_bytes - used : 0;
      if (bytes <= *free_bytes) return true;
      if (!oldest) return false;
      Note("unload " + oldest->model.name + " to make room");
      doomed = std::move(oldest->engine);
      slots_.erase(oldest->model.path);
    }
    doomed.reset();
  }
}

Status HostImpl::Load(Slot* slot) {
  std::lock_guard one(load_mutex_);
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(slot->model.path));
  EngineOptions engine = options_.engine;
  engine.model_path = slot->model.path;
  PlanOptions plan = {.context_tokens = engine.context_tokens,
                      .kv_type = engine.kv_type,
                      .step_tokens = engine.step_tokens,
                      .threads = engine.threads};
  CARAT_ASSIGN_OR_RETURN(MemoryPlan planned, PlanMemory(*file, plan));
  uint64_t free_bytes = 0;
  bool fits = MakeRoom(planned.total_bytes(), &free_bytes);
  // Without a wish for it, the context gives way.
  while (!fits && engine.context_tokens == 0 &&
         planned.context_tokens / 2 >= kSmallestContext) {
    plan.context_tokens = planned.context_tokens / 2;
    CARAT_ASSIGN_OR_RETURN(planned, PlanMemory(*file, plan));
    fits = planned.total_bytes() <= free_bytes;
  }
  if (!fits) {
    return ResourceExhausted(fmt::format(
        "{} needs {} and {} of the {} for models are free; the others are in "
        "use. Try again later, or give carat serve a smaller --ctx or a "
        "larger --memory.",
        slot->model.name, HumanGib(planned.total_bytes()), HumanGib(free_bytes),
        HumanGib(options_.memory_bytes)));
  }
  engine.context_tokens = planned.context_tokens;
  if (engine.kv_bytes == 0) {
    // One full context, and for more conversations a share of the rest.
    engine.kv_bytes =
        planned.kv_bytes + std::min((free_bytes - planned.total_bytes()) / 4,
                                    7 * planned.kv_bytes);
  }
  CARAT_ASSIGN_OR_RETURN(auto loaded, Engine::Load(engine));
  slot->memory_bytes = loaded->plan().total_bytes();
  slot->engine = std::move(loaded);
  return OkStatus();
}

Result<ModelLease> HostImpl::Acquire(std::string_view name,
                                     std::optional<int64_t> keep_alive_s) {
  CARAT_ASSIGN_OR_RETURN(HostedModel model, Find(name));
  SlotPtr slot;
  Lock lock(mutex_);
  if (stop_) return Status(StatusCode::kUnavailable, "The server is ending.");
  const auto found = slots_.find(model.path);
  if (found == slots_.end()) {
    slot = std::make_shared<Slot>();
    slot->model = model;
    slot->pinned = IsPinned(model);
    slot->users = 1;
    slots_[model.path] = slot;
    lock.unlock();
    const auto begin = Clock::now();
    Status status = Load(slot.get());
    const double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    lock.lock();
    slot->error = status;
    slot->state = status.ok() ? Slot::State::kReady : Slot::State::kFailed;
    if (!status.ok()) slots_.erase(model.path);
    changed_.notify_all();
    if (status.ok()) {
      Note(fmt::format("loaded {} in {:.2f} s, {}, context {}", model.name,
                       seconds, HumanGib(slot->memory_bytes),
                       slot->engine->context_tokens()));
    }
  } else {
    slot = found->second;
    ++slot->users;
    changed_.wait(lock, [&] { return slot->state != Slot::State::kLoading; });
  }
  if (slot->state == Slot::State::kFailed) return slot->error;
  slot->unload = false;
  if (keep_alive_s) {
    slot->keep_alive_s = *keep_alive_s;
  } else {
    slot->keep_alive_s = slot->pinned ? -1 : options_.keep_alive_s;
  }
  slot->last_use = Clock::now();
  ModelLease lease = {.model = std::move(model)};
  lease.engine = std::shared_ptr<Engine>(
      slot->engine.get(),
      [this, slot, engine = slot->engine](Engine*) { Release(slot); });
  return lease;
}

void HostImpl::Release(const SlotPtr& slot) {
  std::lock_guard lock(mutex_);
  --slot->users;
  slot->last_use = Clock::now();
  changed_.notify_all();
}

bool HostImpl::Expired(const Slot& slot) const {
  if (slot.state != Slot::State::kReady || slot.users > 0) return false;
  if (slot.unload) return true;
  return slot.keep_alive_s >= 0 &&
         Clock::now() >= slot.last_use + std::chrono::seconds(std::min<int64_t>(
                                             slot.keep_alive_s, 1'000'000'000));
}

void HostImpl::ReaperLoop() {
  Lock lock(mutex_);
  while (!stop_) {
    std::vector<SlotPtr> doomed;
    for (auto it = slots_.begin(); it != slots_.end();) {
      if (Expired(*it->second)) {
        doomed.push_back(it->second);
        it = slots_.erase(it);
      } else {
        ++it;
      }
    }
    if (doomed.empty()) {
      changed_.wait_for(lock, std::chrono::seconds(1));
      continue;
    }
    lock.unlock();
    for (const SlotPtr& slot : doomed) {
      Note("unload " + slot->model.name);
      slot->engine.reset();
    }
    lock.lock();
  }
}

std::vector<RunningModel> HostImpl::Running() {
  std::lock_guard lock(mutex_);
  std::vector<RunningModel> out;
  for (const auto& [path, slot] : slots_) {
    if (slot->state != Slot::State::kReady) continue;
    const auto idle = std::chrono::duration_cast<std::chrono::seconds>(
        Clock::now() - slot->last_use);
    out.push_back(
        {.model = slot->model,
         .engine = slot->engine,
         .memory_bytes = slot->memory_bytes,
         .expires_s = slot->keep_alive_s < 0
                          ? 0
                          : Now() + slot->keep_alive_s - idle.count()});
  }
  return out;
}

Status HostImpl::Unload(std::string_view name) {
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(name));
  std::lock_guard lock(mutex_);
  const auto found = slots_.find(model.path);
  if (found != slots_.end()) found->second->unload = true;
  changed_.notify_all();
  return OkStatus();
}

Status HostImpl::Pull(
    const std::string& name,
    const std::function<bool(const PullProgress&)>& progress) {
  if (!options_.pull) {
    return Unsupported(
        "This server does not download models; put a GGUF file into carat's "
        "models folder, or use one that another program has fetched.");
  }
  const Status status = options_.pull(name, progress);
  Rescan();
  return status;
}

Status HostImpl::Copy(const std::string& from, const std::string& to) {
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(from));
  const Status status = folder_.Link(model.path, to);
  Rescan();
  return status;
}

Status HostImpl::Delete(const std::string& name) {
  if (name.empty()) return InvalidArgument("Name the model to delete.");
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, FindOnce(name));
  CARAT_RETURN_IF_ERROR(folder_.Remove(model.path));
  Rescan();
  std::lock_guard lock(mutex_);
  const auto found = slots_.find(model.path);
  if (found != slots_.end()) found->second->unload = true;
  changed_.notify_all();
  return OkStatus();
}

Status HostImpl::CreateFromBlob(const std::string& name,
                                const std::string& digest) {
  const Status status = folder_.NameBlob(digest, name);
  Rescan();
  return status;
}

}  // namespace

Result<std::unique_ptr<StoreModelHost>> StoreModelHost::Create(
    ModelHostOptions options) {
  auto host = std::make_unique<HostImpl>(std::move(options));
  CARAT_RETURN_IF_ERROR(host->Open());
  return std::unique_ptr<StoreModelHost>(std::move(host));
}

}  // namespace carat
