// carat dump: named intermediates of a forward pass, for tools/compare_dumps.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/terminal.h"

namespace carat {
namespace {

struct DumpArguments {
  EngineArguments engine;
  std::vector<TokenId> tokens;
  std::string out;
};

// Collects what a pass shows; steps of the same pass append rows.
class Recorder : public Observer {
 public:
  void Observe(const std::string& name, const float* data, int64_t rows,
               int64_t cols, int64_t stride) override {
    const auto [at, is_new] = index_.emplace(name, tensors_.size());
    if (is_new) tensors_.push_back({name, cols, {}});
    std::vector<float>& values = tensors_[at->second].values;
    for (int64_t r = 0; r < rows; ++r) {
      values.insert(values.end(), data + r * stride, data + r * stride + cols);
    }
  }

  // STEM.json, the index, and STEM.bin, little-endian f32.
  Status Write(const std::string& stem) const {
    std::FILE* file = std::fopen((stem + ".bin").c_str(), "wb");
    if (file == nullptr) return Failed(stem + ".bin");
    Json list = Json::MakeArray();
    int64_t offset = 0;
    bool ok = true;
    for (const Tensor& t : tensors_) {
      const int64_t rows = static_cast<int64_t>(t.values.size()) / t.cols;
      Json entry = Json::MakeObject();
      entry.Set("name", t.name);
      Json shape = Json::MakeArray();
      shape.Append(rows);
      shape.Append(t.cols);
      entry.Set("shape", std::move(shape));
      entry.Set("offset", offset);
      list.Append(std::move(entry));
      ok &= std::fwrite(t.values.data(), sizeof(float), t.values.size(),
                        file) == t.values.size();
      offset += static_cast<int64_t>(t.values.size() * sizeof(float));
    }
    ok &= std::fclose(file) == 0;
    if (!ok) return Failed(stem + ".bin");
    Json index = Json::MakeObject();
    index.Set("tensors", std::move(list));
    file = std::fopen((stem + ".json").c_str(), "wb");
    if (file == nullptr) return Failed(stem + ".json");
    const std::string text = index.Dump(1) + "\n";
    ok = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    ok &= std::fclose(file) == 0;
    return ok ? OkStatus() : Failed(stem + ".json");
  }

  size_t size() const { return tensors_.size(); }

 private:
  struct Tensor {
    std::string name;
    int64_t cols;
    std::vector<float> values;
  };
  static Status Failed(const std::string& path) {
    return InvalidArgument(
        fmt::format("{} cannot be written; check the folder and the space on "
                    "the disk",
                    path));
  }

  std::vector<Tensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

int Dump(const DumpArguments& arguments) {
  auto engine = LoadEngine(arguments.engine);
  if (!engine.ok()) return Fail(engine.status());
  Recorder recorder;
  const Status status = (*engine)->EvaluateLogits(
      arguments.tokens, 0,
      [&](int64_t, std::span<const float> logits) {
        recorder.Observe("logits", logits.data(), 1,
                         static_cast<int64_t>(logits.size()),
                         static_cast<int64_t>(logits.size()));
        return true;
      },
      &recorder);
  if (!status.ok()) return Fail(status);
  const Status written = recorder.Write(arguments.out);
  if (!written.ok()) return Fail(written);
  Print(fmt::format("{} tensors in {}.json and {}.bin\n", recorder.size(),
                    arguments.out, arguments.out));
  return kExitOk;
}

}  // namespace

void AddDumpCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "dump", "Write the named intermediates of a forward pass");
  auto a = std::make_shared<DumpArguments>();
  AddModelOptions(*command, &a->engine);
  command->add_option("--tokens", a->tokens, "The ids to run, \"2,651,9\"")
      ->required()
      ->delimiter(',');
  command->add_option("--out", a->out, "Writes OUT.json and OUT.bin")
      ->required();
  AddNoiseOptions(*command, &a->engine);
  command->footer(
      "Examples:\n"
      "  carat dump tests/data/tiny/gemma4-e --kv f32 --tokens 2,55,172 \\\n"
      "    --out /tmp/carat\n"
      "  tools/compare_dumps --common REFERENCE /tmp/carat");
  command->callback([a, chosen] { *chosen = [a] { return Dump(*a); }; });
}

}  // namespace carat
