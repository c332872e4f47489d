#include "store/hub/pull.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "base/utf8.h"
#include "formats/model_file.h"
#include "store/hub/download_file.h"
#include "store/hub/hub_path.h"
#include "store/hub/unfinished.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxListingBytes = 16 << 20;

uint64_t SizeOnDisk(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)
             ? static_cast<uint64_t>(info.st_size)
             : 0;
}

Status MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return OkStatus();
  return FailedPrecondition(fmt::format("Making the folder {} failed: {}.",
                                        path.string(), error.message()));
}

std::string NameFor(const HubName& name, const Selection& selection) {
  if (!name.short_name.empty()) return name.short_name;
  if (selection.model.empty()) return name.repository;
  if (selection.quantisation_is_unique) {
    return name.repository + ":" + selection.quantisation;
  }
  return name.repository + "/" + selection.base;
}

class Pull {
 public:
  Pull(const PullRequest& request, const PullSetup& setup)
      : request_(request), setup_(setup) {
    if (!setup_.retry.sleep) {
      setup_.retry.sleep = [this](std::chrono::milliseconds time) {
        return Sleep(time);
      };
    }
  }
  Result<PullOutcome> Run();

 private:
  Result<HubListing> FetchListing();
  Status Explain(const FetchHead& head) const;
  void Plan(const HubListing& listing);
  Status CheckSpace() const;
  Status FetchFiles(const HubListing& listing);
  // Others' unfinished downloads that are old make room.
  void DropOld() const;
  Status FetchOne(const HubFile& file, PulledFile* out);
  Status CheckModel();

  bool Report(const PullProgress& progress) const {
    return !setup_.progress || setup_.progress(progress);
  }
  Status ReportOrCancel(const char* status) const {
    if (Report({.status = status})) return OkStatus();
    return Status(StatusCode::kCancelled, "The download was ended.");
  }
  bool Sleep(std::chrono::milliseconds time) const;
  void Note(const std::string& line) const {
    if (setup_.note) setup_.note(line);
  }
  std::string RepoUrl(const char* middle) const {
    return setup_.endpoint.url + middle + request_.name.repository;
  }
  std::string Partial(const HubFile& file) const;

  const PullRequest& request_;
  PullSetup setup_;
  Selection selection_;
  PullOutcome out_;
  // Digests of files that a record says are here, by path.
  std::map<std::string, PulledFile> known_;
  mutable PullProgress last_;
};

// In steps, so that whoever leaves is noticed.
bool Pull::Sleep(std::chrono::milliseconds time) const {
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    if (!Report(last_)) return false;
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(
        left, std::chrono::milliseconds(100)));
  }
}

Status Pull::Explain(const FetchHead& head) const {
  const std::string page = RepoUrl("/");
  const bool has_token = !setup_.endpoint.token.empty();
  if (head.elsewhere) {
    // Signed addresses of a content network expire; the hub gives new ones.
    const bool expired = head.status == 401 || head.status == 403;
    const Status status = StatusOfAnswer(head, request_.name.repository);
    return expired ? Status(StatusCode::kUnavailable, status.message())
                   : status;
  }
  if (head.status == 401 || head.status == 403) {
    if (head.error_code == "GatedRepo" || has_token) {
      return Status(
          StatusCode::kPermissionDenied,
          fmt::format("{} asks for its licence to be accepted ({}): accept it "
                      "at {} with your account, then set HF_TOKEN to a token "
                      "of that account{}.",
                      request_.name.repository, head.status, page,
                      has_token ? " (the present one may not read it)" : ""));
    }
    return Status(
        StatusCode::kPermissionDenied,
        fmt::format("{} is gated, private or does not exist ({}). If it is "
                    "gated, accept its licence at {} and set HF_TOKEN to a "
                    "token of your account.",
                    request_.name.repository, head.status, page));
  }
  if (head.status == 404) {
    const std::string revision = request_.name.revision;
    return NotFound(fmt::format(
        "{} has no repository {}{}.", head.host, request_.name.repository,
        revision.empty() ? ""
                         : " with a revision " + QuoteForMessage(revision)));
  }
  return StatusOfAnswer(head, request_.name.repository);
}

Result<HubListing> Pull::FetchListing() {
  CARAT_RETURN_IF_ERROR(ReportOrCancel("pulling manifest"));
  last_ = {.status = "pulling manifest"};
  const std::string revision =
      request_.name.revision.empty() ? "main" : request_.name.revision;
  const FetchRequest request = {.url = RepoUrl("/api/models/") + "/revision/" +
                                       UrlEncode(revision, Slash::kEncode) +
                                       "?blobs=true",
                                .bearer = setup_.endpoint.token,
                                .max_bytes = kMaxListingBytes};
  Retry retry(setup_.retry);
  for (;;) {
    int64_t retry_after_s = 0;
    Status status;
    auto text =
        FetchText(setup_.fetcher, request, [this] { return !Report(last_); });
    if (!text.ok()) {
      status = text.status();
    } else if (text->head.status == 200) {
      return ReadHubListing(text->body);
    } else {
      retry_after_s = text->head.retry_after_s;
      status = Explain(text->head);
    }
    if (status.code() == StatusCode::kUnavailable) {
      Note(status.message() + " Trying again.");
    }
    CARAT_RETURN_IF_ERROR(retry.Wait(status, retry_after_s));
  }
}

// Two files with the same bytes grow in one place, one after the other.
std::string Pull::Partial(const HubFile& file) const {
  const std::string& digest = file.sha256.empty() ? file.git_blob : file.sha256;
  const std::string name =
      digest.empty()
          ? UrlEncode(out_.model.folder + "/" + file.path, Slash::kEncode)
          : digest;
  return setup_.models_folder + "/hub/.partial/" + name;
}

void Pull::Plan(const HubListing& listing) {
  PulledModel& model = out_.model;
  model.name = NameFor(request_.name, selection_);
  model.repository = request_.name.repository;
  model.revision = listing.commit;
  model.folder = "hub/" + model.repository + "/" + listing.commit;
  model.model = selection_.model;
  model.quantisation = selection_.quantisation;
  model.pulled_s = static_cast<int64_t>(std::time(nullptr));
  out_.path = PulledPath(setup_.models_folder, model);
  std::vector<std::string> unused;
  for (const PulledModel& other : ListPulled(setup_.models_folder, &unused)) {
    if (other.folder != model.folder) continue;
    for (const PulledFile& file : other.files) known_[file.path] = file;
  }
  for (const HubFile& file : selection_.files) {
    model.files.push_back(
        {.path = file.path, .bytes = file.bytes, .sha256 = file.sha256});
    const std::string path =
        setup_.models_folder + "/" + model.folder + "/" + file.path;
    if (SizeOnDisk(path) == file.bytes && file.bytes > 0) continue;
    out_.fetched_bytes +=
        file.bytes - std::min(file.bytes, SizeOnDisk(Partial(file)));
  }
}

Status Pull::CheckSpace() const {
  struct statvfs info = {};
  if (statvfs(setup_.models_folder.c_str(), &info) != 0) return OkStatus();
  const uint64_t free_bytes = uint64_t{info.f_bavail} * info.f_frsize;
  if (free_bytes >= out_.fetched_bytes) return OkStatus();
  constexpr double kGib = 1 << 30;
  return ResourceExhausted(fmt::format(
      "{} takes {:.2f} GiB more, and {} has {:.2f} GiB free. Make room, or let "
      "CARAT_MODELS name a folder on another disk.",
      out_.model.name, static_cast<double>(out_.fetched_bytes) / kGib,
      setup_.models_folder, static_cast<double>(free_bytes) / kGib));
}

Status Pull::FetchOne(const HubFile& file, PulledFile* out) {
  const std::string path =
      setup_.models_folder + "/" + out_.model.folder + "/" + file.path;
  last_ = {.status = "pulling",
           .file = file.path,
           .digest = file.sha256,
           .total_bytes = file.bytes};
  const auto progress = [&](uint64_t done) {
    last_.done_bytes = done;
    return Report(last_);
  };
  // What a record names was checked when it was written.
  const auto known = known_.find(file.path);
  if (known != known_.end() && known->second.bytes == file.bytes &&
      SizeOnDisk(path) == file.bytes &&
      (file.sha256.empty() || known->second.sha256 == file.sha256)) {
    out->sha256 = known->second.sha256;
    return progress(file.bytes)
               ? OkStatus()
               : Status(StatusCode::kCancelled, "The download was ended.");
  }
  CARAT_RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path()));
  const uint64_t before = SizeOnDisk(Partial(file));
  const std::string here = DigestIfComplete(path, file, progress);
  if (!here.empty()) {
    out->sha256 = here;
    return OkStatus();
  }
  const Download download = {.url = RepoUrl("/") + "/resolve/" +
                                    out_.model.revision + "/" +
                                    UrlEncode(file.path, Slash::kKeep),
                             .file = file,
                             .path = path,
                             .partial = Partial(file),
                             .bearer = setup_.endpoint.token};
  CARAT_ASSIGN_OR_RETURN(
      out->sha256,
      DownloadFile(
          download,
          {.fetcher = setup_.fetcher,
           .retry = setup_.retry,
           .progress = progress,
           .explain = [this](const FetchHead& head) { return Explain(head); },
           .note = [this](const std::string& line) { Note(line); }}));
  out_.fetched_bytes += file.bytes - std::min(file.bytes, before);
  return OkStatus();
}

void Pull::DropOld() const {
  std::set<std::string> wanted;
  for (const HubFile& file : selection_.files) wanted.insert(Partial(file));
  uint64_t bytes = 0;
  const auto gone =
      DropUnfinished(setup_.models_folder, kUnfinishedSeconds, wanted);
  for (const Unfinished& one : gone) bytes += one.bytes;
  if (gone.empty()) return;
  Note(
      fmt::format("Deleted what {} unfinished download(s) had left more than "
                  "a week ago, {} MiB.",
                  gone.size(), bytes >> 20));
}

Status Pull::FetchFiles(const HubListing& listing) {
  if (listing.unsafe_names > 0) {
    Note(
        fmt::format("{} names in the repository cannot be files and were left "
                    "out.",
                    listing.unsafe_names));
  }
  CARAT_RETURN_IF_ERROR(MakeFolder(setup_.models_folder + "/hub/.partial"));
  DropOld();
  CARAT_RETURN_IF_ERROR(CheckSpace());
  out_.fetched_bytes = 0;
  for (size_t i = 0; i < selection_.files.size(); ++i) {
    CARAT_RETURN_IF_ERROR(FetchOne(selection_.files[i], &out_.model.files[i]));
  }
  return OkStatus();
}

Status Pull::CheckModel() {
  for (const PulledFile& file : out_.model.files) {
    const std::string path =
        setup_.models_folder + "/" + out_.model.folder + "/" + file.path;
    if (SizeOnDisk(path) == file.bytes) continue;
    return Status(
        StatusCode::kUnavailable,
        fmt::format("{} was changed or deleted meanwhile; pull again.", path));
  }
  CARAT_RETURN_IF_ERROR(ReportOrCancel("verifying sha256 digest"));
  const Status readable = ModelFile::Open(out_.path).status();
  if (readable.ok()) return OkStatus();
  DropFiles(setup_.models_folder, out_.model);
  return readable.WithContext(
      fmt::format("{} arrived as the hub has it, but carat cannot read it",
                  out_.model.name));
}

Result<PullOutcome> Pull::Run() {
  if (setup_.models_folder.empty()) {
    return FailedPrecondition(
        "carat has no models folder: set CARAT_MODELS or HOME.");
  }
  CARAT_ASSIGN_OR_RETURN(const HubListing listing, FetchListing());
  CARAT_ASSIGN_OR_RETURN(
      selection_,
      SelectFiles(listing, request_.name.selector, request_.projector));
  Plan(listing);
  if (request_.dry_run) return out_;
  CARAT_RETURN_IF_ERROR(FetchFiles(listing));
  CARAT_RETURN_IF_ERROR(CheckModel());
  CARAT_RETURN_IF_ERROR(ReportOrCancel("writing manifest"));
  CARAT_RETURN_IF_ERROR(SavePulled(setup_.models_folder, out_.model));
  return out_;
}

}  // namespace

Result<PullOutcome> PullModel(const PullRequest& request,
                              const PullSetup& setup) {
  return Pull(request, setup).Run();
}

}  // namespace carat
