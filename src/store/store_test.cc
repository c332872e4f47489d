#include "store/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "base/test_folder.h"
#include "store/gguf_names.h"
#include "store/ollama.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

const std::string kDigest(64, 'a');

class StoreTest : public ::testing::Test {
 protected:
  std::string At(const std::string& path) const { return root_ + "/" + path; }

  void Write(const std::string& path, const std::string& text = "x") {
    fs::create_directories(fs::path(At(path)).parent_path());
    std::ofstream(At(path)) << text;
  }
  void WriteManifest(const std::string& path, const std::string& digest) {
    Write("ollama/manifests/" + path,
          R"({"layers":[{"mediaType":"application/vnd.ollama.image.license",)"
          R"("digest":"sha256:00"},)"
          R"({"mediaType":"application/vnd.ollama.image.model","digest":")" +
              digest + R"("}]})");
  }
  void WriteOllama(const std::string& path, char fill) {
    const std::string hex(64, fill);
    WriteManifest(path, "sha256:" + hex);
    Write("ollama/blobs/sha256-" + hex, std::string("GGUF") + fill);
  }

  Store Open() const {
    return Store({{StoreKind::kCarat, At("carat")},
                  {StoreKind::kOllama, At("ollama")},
                  {StoreKind::kHuggingFace, At("hub")},
                  {StoreKind::kLmStudio, At("lmstudio")}});
  }
  static std::string PathOf(const Store& store, const std::string& name) {
    auto found = store.Resolve(name);
    return found.ok() ? found->path : found.status().message();
  }

  const TestFolder folder_;
  const std::string root_ = folder_.string();
};

TEST_F(StoreTest, EmptyPlacesGiveNoModelsAndAHelpfulError) {
  const Store store = Open();
  EXPECT_TRUE(store.models().empty());
  EXPECT_TRUE(store.notes().empty());
  const auto found = store.Resolve("gemma3");
  EXPECT_EQ(found.status().code(), StatusCode::kNotFound);
  EXPECT_NE(found.status().message().find(At("carat")), std::string::npos);
}

TEST_F(StoreTest, FindsOllamaModelsInPlace) {
  WriteOllama("registry.ollama.ai/library/gemma3/latest", 'a');
  WriteOllama("registry.ollama.ai/library/gemma3/270m", 'b');
  WriteOllama("registry.ollama.ai/someone/tuned/v1", 'c');
  WriteOllama("hf.co/org/repo-GGUF/Q4_0", 'd');
  const Store store = Open();
  ASSERT_EQ(store.models().size(), 4u);
  const std::string blobs = At("ollama/blobs/sha256-");
  EXPECT_EQ(PathOf(store, "gemma3"), blobs + std::string(64, 'a'));
  EXPECT_EQ(PathOf(store, "gemma3:latest"), blobs + std::string(64, 'a'));
  EXPECT_EQ(PathOf(store, "Gemma3:270M"), blobs + std::string(64, 'b'));
  EXPECT_EQ(PathOf(store, "someone/tuned:v1"), blobs + std::string(64, 'c'));
  EXPECT_EQ(PathOf(store, "hf.co/org/repo-gguf:q4_0"),
            blobs + std::string(64, 'd'));
  EXPECT_EQ(PathOf(store, "ollama:gemma3:270m"), blobs + std::string(64, 'b'));
  EXPECT_EQ(store.Resolve("gemma3")->bytes, 5u);
}

TEST_F(StoreTest, HostileManifestsAreSkippedWithANote) {
  const std::string at = "registry.ollama.ai/library/";
  WriteManifest(at + "evil/latest", "sha256:../../../../etc/passwd");
  WriteManifest(at + "gone/latest", "sha256:" + kDigest);
  Write("ollama/manifests/" + at + "broken/latest", "{\"layers\":");
  Write("ollama/manifests/" + at + "empty/latest", "");
  Write("ollama/manifests/" + at + "list/latest", "[]");
  Write("ollama/manifests/" + at + "number/latest", R"({"layers":[1,{}]})");
  Write("ollama/manifests/" + at + "long/latest", std::string(2 << 20, ' '));
  Write("ollama/manifests/" + at + "deep/latest", std::string(100000, '['));
  fs::create_directories(At("ollama/manifests/" + at + "folder/latest"));
  const Store store = Open();
  EXPECT_TRUE(store.models().empty());
  EXPECT_EQ(store.notes().size(), 8u);
}

TEST(OllamaManifest, SaysWhyItCannotBeUsed) {
  const auto message = [](const char* text) {
    return OllamaWeightsBlob(text).status().message();
  };
  EXPECT_NE(message(R"({"layers":[{"mediaType":)"
                    R"("application/vnd.ollama.image.tensor"}]})")
                .find("not in GGUF"),
            std::string::npos);
  EXPECT_NE(message(R"({"layers":[]})").find("no weights"), std::string::npos);
  EXPECT_NE(message(R"({"layers":[{"mediaType":)"
                    R"("application/vnd.ollama.image.model",)"
                    R"("digest":"sha256:ABC"}]})")
                .find("64 hexadecimal"),
            std::string::npos);
}

TEST_F(StoreTest, FindsHuggingFaceSnapshots) {
  const std::string repo = "hub/models--google--gemma-3-270m-it/";
  Write(repo + "refs/main", "rev2\n");
  Write(repo + "snapshots/rev1/config.json", "{}");
  Write(repo + "snapshots/rev1/model.safetensors");
  Write(repo + "snapshots/rev2/config.json", "{}");
  Write(repo + "blobs/data", "12345");
  fs::create_symlink(At(repo + "blobs/data"),
                     At(repo + "snapshots/rev2/model.safetensors"));
  Write("hub/models--org--half/snapshots/r/config.json", "{}");  // no weights
  Write("hub/datasets--org--data/snapshots/r/x.gguf");
  const Store store = Open();
  ASSERT_EQ(store.models().size(), 1u);
  const std::string path = At(repo + "snapshots/rev2");
  EXPECT_EQ(PathOf(store, "google/gemma-3-270m-it"), path);
  EXPECT_EQ(PathOf(store, "gemma-3-270m-it"), path);
  EXPECT_EQ(store.models()[0].bytes, 5u);
}

TEST_F(StoreTest, DanglingLinksAreNotModels) {
  const std::string snapshot = "hub/models--o--m/snapshots/r/";
  Write(snapshot + "config.json", "{}");
  fs::create_symlink(At("hub/gone"), At(snapshot + "model.safetensors"));
  fs::create_symlink(At("hub/gone"), At(snapshot + "m-Q4_0.gguf"));
  EXPECT_TRUE(Open().models().empty());
}

TEST_F(StoreTest, NamesQuantisationsOfARepository) {
  const std::string repo = "lmstudio/community/gemma-3-1b-it-GGUF/";
  Write(repo + "gemma-3-1b-it-Q4_K_M.gguf");
  Write(repo + "gemma-3-1b-it-Q8_0.gguf");
  Write(repo + "mmproj-model-f16.gguf");
  const Store store = Open();
  ASSERT_EQ(store.models().size(), 2u);
  EXPECT_EQ(PathOf(store, "community/gemma-3-1b-it-GGUF:q8_0"),
            At(repo + "gemma-3-1b-it-Q8_0.gguf"));
  EXPECT_EQ(PathOf(store, "gemma-3-1b-it-gguf:Q4_K_M"),
            At(repo + "gemma-3-1b-it-Q4_K_M.gguf"));
  EXPECT_EQ(PathOf(store, "gemma-3-1b-it-q4_k_m.gguf"),
            At(repo + "gemma-3-1b-it-Q4_K_M.gguf"));
  const auto both = store.Resolve("gemma-3-1b-it-gguf");
  EXPECT_EQ(both.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(both.status().message().find(":Q4_K_M"), std::string::npos);
  EXPECT_NE(both.status().message().find(":Q8_0"), std::string::npos);
}

TEST_F(StoreTest, SplitSeriesIsOneModel) {
  Write("carat/big-Q4_0-00001-of-00002.gguf", "12");
  Write("carat/big-Q4_0-00002-of-00002.gguf", "345");
  Write("carat/orphan-00002-of-00002.gguf");
  const Store store = Open();
  ASSERT_EQ(store.models().size(), 1u);
  EXPECT_EQ(store.models()[0].name, "big-Q4_0");
  EXPECT_EQ(store.models()[0].bytes, 5u);
  EXPECT_EQ(PathOf(store, "big"), At("carat/big-Q4_0-00001-of-00002.gguf"));
}

TEST_F(StoreTest, CaratFolderHoldsFilesAndFolders) {
  Write("carat/gemma-3-270m-q4_k_m.gguf");
  Write("carat/tiny/config.json", "{}");
  Write("carat/tiny/model.safetensors");
  Write("carat/notes.txt");
  const Store store = Open();
  ASSERT_EQ(store.models().size(), 2u);
  EXPECT_EQ(PathOf(store, "gemma-3-270m"),
            At("carat/gemma-3-270m-q4_k_m.gguf"));
  EXPECT_EQ(PathOf(store, "tiny"), At("carat/tiny"));
}

TEST_F(StoreTest, SameNameInTwoStoresAsksWhichOne) {
  Write("carat/gemma.gguf");
  Write("lmstudio/someone/gemma/model-Q4_0.gguf");
  Write("hub/models--someone--gemma/snapshots/r/model-Q4_0.gguf");
  const Store store = Open();
  // A full name wins over short ones.
  EXPECT_EQ(PathOf(store, "gemma"), At("carat/gemma.gguf"));
  const auto found = store.Resolve("someone/gemma:Q4_0");
  EXPECT_EQ(found.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(found.status().message().find("hf:someone/gemma:Q4_0"),
            std::string::npos);
  EXPECT_EQ(PathOf(store, "lmstudio:someone/gemma:q4_0"),
            At("lmstudio/someone/gemma/model-Q4_0.gguf"));
}

TEST_F(StoreTest, NotFoundNamesTheNearest) {
  WriteOllama("registry.ollama.ai/library/gemma3/270m", 'a');
  WriteOllama("registry.ollama.ai/library/llama/8b", 'b');
  const std::string message = Open().Resolve("gema3:270m").status().message();
  EXPECT_NE(message.find("Did you mean gemma3:270m?"), std::string::npos)
      << message;
  const std::string far = Open().Resolve("zzzzzzzzzz").status().message();
  EXPECT_NE(far.find("gemma3:270m, llama:8b"), std::string::npos) << far;
}

TEST_F(StoreTest, OneRootThroughTwoPathsIsListedOnce) {
  Write("carat/m.gguf");
  fs::create_directory_symlink(At("carat"), At("link"));
  const Store store(
      {{StoreKind::kCarat, At("carat")}, {StoreKind::kCarat, At("link")}});
  EXPECT_EQ(store.models().size(), 1u);
}

TEST_F(StoreTest, LinkLoopsEnd) {
  Write("carat/m.gguf");
  fs::create_directory_symlink(At("carat"), At("carat/loop"));
  fs::create_directory_symlink(At("lmstudio"), At("lmstudio"));
  EXPECT_EQ(Open().Resolve("m")->path, At("carat/m.gguf"));
}

TEST(Roots, FollowTheEnvironment) {
  std::map<std::string, std::string> env = {{"HOME", "/h"}};
  const auto lookup = [&](const char* name) { return env[name]; };
  const auto has = [&](StoreKind kind, const std::string& path) {
    for (const StoreRoot& root : DefaultRoots(lookup)) {
      if (root.kind == kind && root.path == path) return true;
    }
    return false;
  };
  EXPECT_TRUE(has(StoreKind::kCarat, "/h/.cache/carat/models"));
  EXPECT_TRUE(has(StoreKind::kOllama, "/h/.ollama/models"));
  EXPECT_TRUE(has(StoreKind::kOllama, "/usr/share/ollama/.ollama/models"));
  EXPECT_TRUE(has(StoreKind::kHuggingFace, "/h/.cache/huggingface/hub"));
  EXPECT_TRUE(has(StoreKind::kLmStudio, "/h/.lmstudio/models"));
  EXPECT_TRUE(has(StoreKind::kLmStudio, "/h/.cache/lm-studio/models"));
  env["XDG_CACHE_HOME"] = "/x";
  env["HF_HOME"] = "/hf";
  env["OLLAMA_MODELS"] = "/o";
  EXPECT_TRUE(has(StoreKind::kCarat, "/x/carat/models"));
  EXPECT_TRUE(has(StoreKind::kHuggingFace, "/hf/hub"));
  EXPECT_TRUE(has(StoreKind::kOllama, "/o"));
  env["CARAT_MODELS"] = "/m";
  EXPECT_EQ(ModelsFolder(lookup), "/m");
  env.clear();
  EXPECT_EQ(CacheFolder(lookup), "");
  EXPECT_EQ(DefaultRoots(lookup).size(), 1u);  // Ollama's service folder
}

TEST(QuantisationInName, ReadsTheLastWord) {
  EXPECT_EQ(QuantisationInName("gemma-3-270m-q4_k_m.gguf"), "Q4_K_M");
  EXPECT_EQ(QuantisationInName("gemma-3-1b-it.Q8_0.gguf"), "Q8_0");
  EXPECT_EQ(QuantisationInName("gemma-3-1b-it-BF16"), "BF16");
  EXPECT_EQ(QuantisationInName("x-IQ4_XS.gguf"), "IQ4_XS");
  EXPECT_EQ(QuantisationInName("gemma-3-1b-it.gguf"), "");
  EXPECT_EQ(QuantisationInName("Q.gguf"), "");
  EXPECT_EQ(QuantisationInName(""), "");
}

TEST(IsModelPath, TellsPathsFromNames) {
  EXPECT_TRUE(IsModelPath("/nowhere/x"));
  EXPECT_TRUE(IsModelPath("./x"));
  EXPECT_TRUE(IsModelPath("models/x.gguf"));
  EXPECT_TRUE(IsModelPath("."));
  EXPECT_FALSE(IsModelPath("gemma3:270m"));
  EXPECT_FALSE(IsModelPath("google/gemma-3-270m-it"));
  EXPECT_FALSE(IsModelPath("org/repo/x.gguf"));
}

}  // namespace
}  // namespace carat
