// For tests of the protocols: a ModelHost over one tiny model of tests/data,
// and a reply that keeps what was written.
#ifndef CARAT_API_TEST_HOST_H_
#define CARAT_API_TEST_HOST_H_

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/http.h"
#include "api/model_host.h"
#include "base/json.h"
#include "base/test_folder.h"

namespace carat {

// tests/data/tiny/gemma4-e knows 512 positions, too few for prompts with
// tools. The same weights under a config with more: positions are rotations,
// so any number works.
inline std::string TinyModelPath() {
  namespace fs = std::filesystem;
  const fs::path from = fs::path(CARAT_TEST_DATA) / "tiny/gemma4-e";
  static const TestFolder folder;  // gone with the process
  const fs::path& to = folder.path();
  if (fs::exists(to / "config.json")) return to.string();
  for (const auto& file : fs::directory_iterator(from)) {
    const fs::path name = file.path().filename();
    if (name == "config.json" || name.extension() == ".bin") continue;
    fs::create_symlink(file.path(), to / name);
  }
  std::ifstream in(from / "config.json");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  Json config = *Json::Parse(text);
  config.Set("max_position_embeddings", 8192);
  std::ofstream(to / "config.json") << config.Dump(1);
  return to.string();
}

// One model named "tiny", loaded on first use and kept.
class TestHost : public ModelHost {
 public:
  std::vector<HostedModel> List() override { return {model_}; }

  Result<HostedModel> Find(std::string_view name) override {
    if (name.empty() || name == model_.name || name == "org/tiny:4") {
      return model_;
    }
    return NotFound("There is no model '" + std::string(name) +
                    "'; models here: tiny.");
  }

  Result<ModelInfo> Describe(const HostedModel&) override {
    return engine()->info();
  }

  Result<Json> Metadata(const HostedModel&) override {
    return Json(Json::Object{{"general.architecture", "gemma4"}});
  }

  Result<ModelLease> Acquire(std::string_view name,
                             const AcquireOptions& options) override {
    CARAT_ASSIGN_OR_RETURN(HostedModel model, Find(name));
    last_keep_alive_s = options.keep_alive_s;
    for (int i = 0; i < load_waits; ++i) {
      // Longer than a keep-alive of a millisecond.
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      if (options.waiting && !options.waiting()) {
        return Status(StatusCode::kCancelled, "Nobody waits any more.");
      }
    }
    if (!load_error.ok()) return load_error;
    return ModelLease{std::move(model), stand_in ? stand_in : engine()};
  }

  std::vector<RunningModel> Running() override {
    return {{.model = model_, .engine = engine(), .memory_bytes = 1000}};
  }

  Status Unload(std::string_view name) override {
    CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(name));
    unloaded.push_back(model.name);
    return OkStatus();
  }

  Status Pull(
      const std::string& name,
      const std::function<bool(const PullProgress&)>& progress) override {
    if (name != "tiny") return NotFound("Nobody has '" + name + "'.");
    progress({.status = "pulling manifest"});
    progress({.status = "pulling",
              .digest = model_.digest,
              .total_bytes = 10,
              .done_bytes = 5});
    return OkStatus();
  }

  Status Copy(const std::string& from, const std::string& to) override {
    CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(from));
    copies.push_back(to);
    return OkStatus();
  }

  Status Delete(const std::string& name) override {
    CARAT_ASSIGN_OR_RETURN(const HostedModel model, Find(name));
    deleted.push_back(model.name);
    return OkStatus();
  }

  Status CreateFromBlob(const std::string& name,
                        const std::string& digest) override {
    if (!HasBlob(digest)) return NotFound("There is no blob " + digest + ".");
    copies.push_back(name);
    return OkStatus();
  }

  bool HasBlob(const std::string& digest) override {
    for (const std::string& blob : blobs) {
      if (blob == digest) return true;
    }
    return false;
  }

  Status PutBlob(const std::string& digest, std::string_view) override {
    blobs.push_back(digest);
    return OkStatus();
  }

  std::shared_ptr<Engine> engine() {
    if (engine_ != nullptr) return engine_;
    auto loaded = Engine::Load({.model_path = TinyModelPath(),
                                .threads = 1,
                                .context_tokens = 8192,
                                .chat_format = "gemma4-small"});
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    engine_ = std::move(loaded).value();
    return engine_;
  }

  std::optional<int64_t> last_keep_alive_s;
  std::shared_ptr<Engine> stand_in;  // leased in the model's place
  int load_waits = 0;                // how often Acquire says that it waits
  Status load_error;                 // what it says then
  std::vector<std::string> unloaded, copies, deleted, blobs;

 private:
  HostedModel model_ = {.name = "tiny",
                        .path = "tiny",
                        .bytes = 4096,
                        .modified_s = 1700000000,
                        .digest = std::string(64, 'a')};
  std::shared_ptr<Engine> engine_;
};

// Keeps the answer. `gone_after`: pretends that the client closes the
// connection after that many writes.
class TestReply : public HttpReply {
 public:
  void Start(int code, const HttpHeaders& sent) override {
    EXPECT_FALSE(started_) << "the head was sent twice";
    started_ = true;
    status = code;
    headers = sent;
  }
  bool Write(std::string_view bytes) override {
    EXPECT_TRUE(started_) << "the body came before the head";
    body += bytes;
    ++writes_;
    return !gone();
  }
  bool gone() const override {
    return gone_after >= 0 && writes_ >= gone_after;
  }
  bool started() const override { return started_; }

  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
  // The body as JSON; null (and a failure) when it is none.
  Json json() const {
    auto parsed = Json::Parse(body);
    EXPECT_TRUE(parsed.ok()) << body;
    return parsed.ok() ? *parsed : Json();
  }

  int status = 0;
  HttpHeaders headers;
  std::string body;
  int gone_after = -1;

 private:
  bool started_ = false;
  int writes_ = 0;
};

inline HttpRequest Post(std::string path, std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers = {{"content-type", "application/json"}};
  request.body = std::move(body);
  return request;
}

inline HttpRequest Get(std::string path, std::string query = "") {
  HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  request.query = std::move(query);
  return request;
}

// The value at "choices.0.message": members by name, elements by number. Null
// when there is none.
inline Json At(const Json& value, std::string_view path) {
  const Json* at = &value;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
    if (at->is_array()) {
      const size_t index = std::stoul(key);
      if (index >= at->as_array().size()) return {};
      at = &at->as_array()[index];
    } else {
      at = at->Find(key);
      if (at == nullptr) return {};
    }
  }
  return *at;
}

}  // namespace carat

#endif  // CARAT_API_TEST_HOST_H_
