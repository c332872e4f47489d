#include "server/pull_jobs.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

namespace carat {
namespace {

constexpr auto kAskEvery = std::chrono::milliseconds(250);

Status Ended() {
  return Status(StatusCode::kCancelled, "The download was ended.");
}

}  // namespace

struct PullJobs::Job {
  std::string name;

  std::mutex mutex;
  std::condition_variable changed;
  // One entry for each status and file; the last one's numbers grow.
  std::vector<PullProgress> history;
  uint64_t version = 0;  // counts changes
  int listeners = 0;
  bool cancel = false;
  bool done = false;
  Status status;  // once done
};

PullJobs::~PullJobs() {
  Cancel();
  std::vector<Worker> workers;
  {
    std::lock_guard lock(mutex_);
    workers.swap(workers_);
  }
  for (Worker& worker : workers) worker.thread.join();
}

void PullJobs::Cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  for (const auto& [name, job] : jobs_) {
    std::lock_guard job_lock(job->mutex);
    job->cancel = true;
  }
}

void PullJobs::Run(const std::shared_ptr<Job>& job) {
  const Status status = pull_(job->name, [&](const PullProgress& progress) {
    std::lock_guard lock(job->mutex);
    auto& history = job->history;
    const bool same = !history.empty() &&
                      history.back().status == progress.status &&
                      history.back().file == progress.file;
    if (!same) {
      history.push_back(progress);
    } else {
      history.back() = progress;
    }
    ++job->version;
    job->changed.notify_all();
    return !job->cancel;
  });
  {
    // Whoever asks from now on begins anew.
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(job->name);
    if (found != jobs_.end() && found->second == job) jobs_.erase(found);
  }
  std::lock_guard lock(job->mutex);
  job->status = status;
  job->done = true;
  job->changed.notify_all();
}

std::shared_ptr<PullJobs::Job> PullJobs::Join(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (cancelled_) return nullptr;
  std::shared_ptr<Job>& job = jobs_[name];
  if (job != nullptr) {
    std::lock_guard job_lock(job->mutex);
    if (!job->cancel) {
      ++job->listeners;
      return job;
    }
  }
  // None, or one that its last client has just left: that one lets go of the
  // files first, and the new one waits for them.
  job = std::make_shared<Job>();
  job->name = name;
  job->listeners = 1;
  for (auto it = workers_.begin(); it != workers_.end();) {
    std::unique_lock job_lock(it->job->mutex);
    const bool done = it->job->done;
    job_lock.unlock();
    if (done) it->thread.join();
    it = done ? workers_.erase(it) : it + 1;
  }
  workers_.push_back(
      {.job = job, .thread = std::thread([this, job] { Run(job); })});
  return job;
}

Status PullJobs::Pull(const std::string& name, const PullListener& progress) {
  const std::shared_ptr<Job> job = Join(name);
  if (job == nullptr) return Ended();
  size_t next = 0;  // of the history, to be told
  uint64_t seen = 0;
  bool stay = true;
  std::unique_lock lock(job->mutex);
  while (stay) {
    if (!job->done && job->version == seen) {
      job->changed.wait_for(lock, kAskEvery);
    }
    seen = job->version;
    const bool done = job->done;
    const size_t from = next == 0 ? 0 : next - 1;
    const std::vector<PullProgress> news(
        job->history.begin() + static_cast<std::ptrdiff_t>(from),
        job->history.end());
    next = job->history.size();
    lock.unlock();
    for (const PullProgress& one : news) stay = stay && progress(one);
    lock.lock();
    if (done && job->version == seen) break;
  }
  --job->listeners;
  if (stay) return job->status;
  if (job->listeners == 0) job->cancel = true;
  return Ended();
}

}  // namespace carat
