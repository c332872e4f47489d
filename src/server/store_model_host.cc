#include "server/store_model_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/memory_info.h"
#include "base/thread_pool.h"
#include "blocks/weight_loader.h"
#include "formats/model_file.h"
#include "runtime/memory_plan.h"
#include "server/model_catalog.h"
#include "server/pull_jobs.h"
#include "store/own_models.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

// How often who waits for a load is asked whether to go on.
constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr int64_t kSmallestContext = 2048;

int64_t Now() { return static_cast<int64_t>(std::time(nullptr)); }

std::string HumanGib(uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
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
  // False once nobody waits for the load any more, or the server ends. Asked by
  // the threads that load.
  std::atomic<bool> wanted{true};
};

Status Ending() {
  return Status(StatusCode::kUnavailable, "The server is ending.");
}

class HostImpl : public StoreModelHost {
 public:
  explicit HostImpl(ModelHostOptions options)
      : options_(std::move(options)),
        folder_(options_.models_folder),
        catalog_({.aliases = options_.aliases,
                  .roots = options_.roots,
                  .chat_format = options_.engine.chat_format}) {}
  ~HostImpl() override;
  Status Open();

  std::vector<HostedModel> List() override { return catalog_.List(); }
  Result<HostedModel> Find(std::string_view name) override {
    return catalog_.Find(name);
  }
  Result<ModelInfo> Describe(const HostedModel& model) override {
    return catalog_.Describe(model);
  }
  Result<Json> Metadata(const HostedModel& model) override {
    return catalog_.Metadata(model);
  }
  Result<ModelLease> Acquire(std::string_view name,
                             const AcquireOptions& options) override;
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
  Status LoadPinned(const std::function<bool()>& waiting) override;
  void Shutdown() override;
  uint64_t memory_bytes() const override { return options_.memory_bytes; }

 private:
  using SlotPtr = std::shared_ptr<Slot>;
  using Lock = std::unique_lock<std::mutex>;

  SlotPtr StartLoading(const HostedModel& model);
  // On a thread of its own.
  void LoadAndTell(const SlotPtr& slot);
  // The load that nobody waits for ends soon; the next who asks begins another.
  void Abandon(const SlotPtr& slot);
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
  std::unique_ptr<PullJobs> pulls_;  // null: not allowed
  ModelCatalog catalog_;

  std::mutex load_mutex_;  // one model is loaded at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SlotPtr> slots_;  // by path
  int loading_ = 0;                       // threads that load
  bool stop_ = false;
  std::thread reaper_;
};

Status HostImpl::Open() {
  CARAT_RETURN_IF_ERROR(catalog_.Pin(options_.models));
  if (options_.memory_bytes == 0) {
    options_.memory_bytes = ReadMemoryInfo().available / 10 * 9;
  }
  if (options_.engine.threads == 0) {
    options_.engine.threads = ThreadPool::DefaultThreads();
  }
  if (options_.pull) pulls_ = std::make_unique<PullJobs>(options_.pull);
  reaper_ = std::thread([this] { ReaperLoop(); });
  return OkStatus();
}

HostImpl::~HostImpl() {
  Shutdown();
  if (reaper_.joinable()) reaper_.join();
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return loading_ == 0; });
}

Status HostImpl::LoadPinned(const std::function<bool()>& waiting) {
  for (const HostedModel& model : catalog_.pinned()) {
    CARAT_RETURN_IF_ERROR(Acquire(model.name, {.waiting = waiting}).status());
  }
  return OkStatus();
}

void HostImpl::Shutdown() {
  std::lock_guard lock(mutex_);
  stop_ = true;
  for (const auto& [path, slot] : slots_) {
    if (slot->state == Slot::State::kLoading) slot->wanted = false;
  }
  changed_.notify_all();
  if (pulls_) pulls_->Cancel();
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

// With load_mutex_ held.
Status HostImpl::Load(Slot* slot) {
  if (!slot->wanted) return LoadingGivenUp();
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
  engine.go_on = [slot] { return slot->wanted.load(); };
  CARAT_ASSIGN_OR_RETURN(auto loaded, Engine::Load(engine));
  slot->memory_bytes = loaded->plan().total_bytes();
  slot->engine = std::move(loaded);
  return OkStatus();
}

// With mutex_ held.
HostImpl::SlotPtr HostImpl::StartLoading(const HostedModel& model) {
  auto slot = std::make_shared<Slot>();
  slot->model = model;
  slot->pinned = catalog_.IsPinned(model);
  slot->keep_alive_s = slot->pinned ? -1 : options_.keep_alive_s;
  slots_[model.path] = slot;
  ++loading_;
  std::thread([this, slot] { LoadAndTell(slot); }).detach();
  return slot;
}

void HostImpl::LoadAndTell(const SlotPtr& slot) {
  {
    std::lock_guard one(load_mutex_);
    const auto begin = Clock::now();
    Status status = Load(slot.get());
    const double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    std::shared_ptr<Engine> doomed;  // goes before the next one is loaded
    std::lock_guard lock(mutex_);
    if (status.ok() && !slot->wanted) {
      doomed = std::move(slot->engine);
      status = LoadingGivenUp();
    }
    slot->error = status;
    slot->state = status.ok() ? Slot::State::kReady : Slot::State::kFailed;
    slot->last_use = Clock::now();
    const auto known = slots_.find(slot->model.path);
    if (!status.ok() && known != slots_.end() && known->second == slot) {
      slots_.erase(known);
    }
    changed_.notify_all();
    if (status.ok()) {
      Note(fmt::format("loaded {} in {:.2f} s, {}, context {}",
                       slot->model.name, seconds, HumanGib(slot->memory_bytes),
                       slot->engine->context_tokens()));
    } else if (status.code() == StatusCode::kCancelled) {
      Note(fmt::format("stopped loading {} after {:.2f} s", slot->model.name,
                       seconds));
    }
  }
  std::lock_guard lock(mutex_);
  --loading_;
  // Under the lock: whoever waits for the last loader may destroy this.
  changed_.notify_all();
}

void HostImpl::Abandon(const SlotPtr& slot) {
  if (slot->state != Slot::State::kLoading || slot->users > 0) return;
  slot->wanted = false;
  const auto known = slots_.find(slot->model.path);
  if (known != slots_.end() && known->second == slot) slots_.erase(known);
}

Result<ModelLease> HostImpl::Acquire(std::string_view name,
                                     const AcquireOptions& options) {
  CARAT_ASSIGN_OR_RETURN(HostedModel model, Find(name));
  Lock lock(mutex_);
  const auto found = slots_.find(model.path);
  if (stop_) return Ending();
  const SlotPtr slot =
      found == slots_.end() ? StartLoading(model) : found->second;
  ++slot->users;
  slot->unload = false;
  while (slot->state == Slot::State::kLoading) {
    changed_.wait_for(lock, kPoll);
    if (slot->state != Slot::State::kLoading || !options.waiting) continue;
    lock.unlock();
    const bool go_on = options.waiting();
    lock.lock();
    if (go_on && !stop_) continue;
    --slot->users;
    Abandon(slot);
    if (stop_) return Ending();
    return Status(StatusCode::kCancelled,
                  "The request was given up while its model was loading.");
  }
  if (slot->state == Slot::State::kFailed) {
    return stop_ ? Ending() : slot->error;
  }
  slot->keep_alive_s =
      options.keep_alive_s.value_or(slot->pinned ? -1 : options_.keep_alive_s);
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
  if (!pulls_) {
    return Status(
        StatusCode::kPermissionDenied,
        "This server does not download models: it was started without "
        "--allow-pull. Use carat pull on its machine.");
  }
  const Status status = pulls_->Pull(name, progress);
  catalog_.Rescan();
  return status;
}

Status HostImpl::Copy(const std::string& from, const std::string& to) {
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(from));
  const Status status = folder_.Link(model.path, to);
  catalog_.Rescan();
  return status;
}

Status HostImpl::Delete(const std::string& name) {
  if (name.empty()) return InvalidArgument("Name the model to delete.");
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, catalog_.FindExact(name));
  CARAT_RETURN_IF_ERROR(folder_.Remove(model.name, model.path));
  catalog_.Rescan();
  std::lock_guard lock(mutex_);
  const auto found = slots_.find(model.path);
  if (found != slots_.end()) found->second->unload = true;
  changed_.notify_all();
  return OkStatus();
}

Status HostImpl::CreateFromBlob(const std::string& name,
                                const std::string& digest) {
  const Status status = folder_.NameBlob(digest, name);
  catalog_.Rescan();
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
