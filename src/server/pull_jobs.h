// Downloads that clients of the server asked for. Those that ask for the same
// name share one download; it ends when the last of them has left.
//
// Threads: Pull may be called from any number of threads; each download runs
// on a thread of its own.
#ifndef CARAT_SERVER_PULL_JOBS_H_
#define CARAT_SERVER_PULL_JOBS_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "store/hub/pull_progress.h"

namespace carat {

// Downloads a model; blocks. The listener returns false to end it.
using PullFunction =
    std::function<Status(const std::string& name, const PullListener&)>;

class PullJobs {
 public:
  explicit PullJobs(PullFunction pull) : pull_(std::move(pull)) {}
  // Ends what is under way and waits for it.
  ~PullJobs();
  PullJobs(const PullJobs&) = delete;
  PullJobs& operator=(const PullJobs&) = delete;

  // Starts the download or joins the one under way; blocks until its end.
  // `progress` hears every status in order, and the numbers as they stand;
  // it is asked at least about four times a second and returns false to leave.
  Status Pull(const std::string& name, const PullListener& progress);
  // Ends all downloads; later ones are refused.
  void Cancel();

 private:
  struct Job;
  struct Worker {
    std::shared_ptr<Job> job;
    std::thread thread;
  };
  std::shared_ptr<Job> Join(const std::string& name);
  void Run(const std::shared_ptr<Job>& job);

  const PullFunction pull_;
  std::mutex mutex_;
  bool cancelled_ = false;
  std::map<std::string, std::shared_ptr<Job>> jobs_;  // under way, by name
  std::vector<Worker> workers_;                       // some have ended
};

}  // namespace carat

#endif  // CARAT_SERVER_PULL_JOBS_H_
