// What names a model, a file and a repository, from people and from hubs.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/gguf_names.h"
#include "store/hub/endpoint.h"
#include "store/hub/hub_path.h"
#include "store/hub/listing.h"
#include "store/hub/model_name.h"
#include "store/hub/select_files.h"

namespace carat {
namespace {

const std::string kCommit(40, 'c');
const std::string kDigest(64, 'd');

std::string Message(const Status& status) { return status.message(); }

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(HubName, ReadsEveryForm) {
  struct Case {
    const char* text;
    const char* repository;
    const char* selector;
    const char* revision;
  };
  for (const Case& c : std::vector<Case>{
           {"org/repo", "org/repo", "", ""},
           {"hf.co/org/repo", "org/repo", "", ""},
           {"https://huggingface.co/org/repo", "org/repo", "", ""},
           {"org/repo:Q4_0", "org/repo", "Q4_0", ""},
           {"org/repo:Q4_0@v1.2", "org/repo", "Q4_0", "v1.2"},
           {"org/repo@refs/pr/3", "org/repo", "", "refs/pr/3"},
           {"org/repo:sub/file.gguf", "org/repo", "sub/file.gguf", ""},
           {"org/repo/file.gguf@main", "org/repo", "file.gguf", "main"},
           {"org/repo:latest", "org/repo", "", ""},
           {"GEMMA4:E2B-qat", "google/gemma-4-E2B-it-qat-q4_0-gguf", "", ""},
           {"gemma3:270m@main", "ggml-org/gemma-3-270m-it-qat-GGUF", "Q4_0",
            "main"},
           {"gemma4:latest", "google/gemma-4-E2B-it-qat-q4_0-gguf", "", ""}}) {
    const auto name = ParseHubName(c.text);
    ASSERT_TRUE(name.ok()) << c.text << Message(name.status());
    EXPECT_EQ(name->repository, c.repository) << c.text;
    EXPECT_EQ(name->selector, c.selector) << c.text;
    EXPECT_EQ(name->revision, c.revision) << c.text;
  }
}

TEST(HubName, RefusesWhatCouldLeaveItsPlace) {
  for (const char* text :
       {"",         "/",       "a/",       "/b",       "../b",     "a/..",
        "a/b:",     "a/b@",    "a/b:../c", "a/b:/c",   "a/b@../c", "a/b@/c",
        "a/b@-x",   "a b/c",   "a/b c",    "a--b/c",   "-a/b",     "a/b.",
        "a/b:c\nd", "a/b@c d", "a/\xff",   "none:such"}) {
    EXPECT_FALSE(ParseHubName(text).ok()) << text;
  }
}

TEST(ShortNames, AreUniqueAndWellFormed) {
  std::set<std::string> names;
  for (const ShortName& entry : ShortNames()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(LowerAscii(entry.name), entry.name);
    const auto name = ParseHubName(entry.name);
    ASSERT_TRUE(name.ok()) << entry.name;
    EXPECT_EQ(name->short_name, entry.name);
    EXPECT_TRUE(ParseHubName(entry.repository).ok()) << entry.repository;
  }
}

TEST(HubPath, OnlyPlainRelativePathsPass) {
  for (const char* path : {"a", "a/b.gguf", "a b", "\xc3\xa9.gguf"}) {
    EXPECT_TRUE(IsSafeHubPath(path)) << path;
  }
  for (const std::string& path : std::vector<std::string>{
           "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".a", "a/.b",
           "a\\b", "a\nb", "C:a", "\xff", std::string("a\0b", 3),
           std::string(201, 'a'), "a/b/c/d/e/f/g/h/i"}) {
    EXPECT_FALSE(IsSafeHubPath(path)) << path;
  }
  EXPECT_EQ(UrlEncode("a b/\xc3\xa9+", Slash::kKeep), "a%20b/%C3%A9%2B");
  EXPECT_EQ(UrlEncode("a/b", Slash::kEncode), "a%2Fb");
}

TEST(QuantisationAnywhere, ReadsAnyWord) {
  EXPECT_EQ(QuantisationAnywhere("gemma-4-E2B_q4_0-it.gguf"), "Q4_0");
  EXPECT_EQ(QuantisationAnywhere("gemma-3-4b-it-q4_0.gguf"), "Q4_0");
  EXPECT_EQ(QuantisationAnywhere("m.Q4_K_M.gguf"), "Q4_K_M");
  EXPECT_EQ(QuantisationAnywhere("m-UD-Q4_K_XL.gguf"), "Q4_K_XL");
  EXPECT_EQ(QuantisationAnywhere("mmproj-BF16.gguf"), "BF16");
  EXPECT_EQ(QuantisationAnywhere("gemma-3-1b-it.gguf"), "");
}

TEST(HubListing, ReadsSizesAndDigests) {
  const auto listing = ReadHubListing(
      R"({"sha":")" + kCommit + R"(","siblings":[)" +
      R"({"rfilename":"b.gguf","size":5,"lfs":{"sha256":")" + kDigest +
      R"(","size":5}},{"rfilename":"a.json","size":2,"blobId":")" + kCommit +
      R"(","lfs":null},{"rfilename":".gitattributes","size":1},)" +
      R"({"rfilename":"../x","size":1}]})");
  ASSERT_TRUE(listing.ok()) << Message(listing.status());
  EXPECT_EQ(listing->commit, kCommit);
  ASSERT_EQ(listing->files.size(), 2u);
  EXPECT_EQ(listing->files[0].path, "a.json");
  EXPECT_EQ(listing->files[0].git_blob, kCommit);
  EXPECT_EQ(listing->files[1].sha256, kDigest);
  EXPECT_EQ(listing->files[1].bytes, 5u);
  EXPECT_EQ(listing->unsafe_names, 1u);
}

TEST(HubListing, SaysWhatIsWrong) {
  const auto error = [](const std::string& siblings) {
    return Message(ReadHubListing(R"({"sha":")" + kCommit + R"(","siblings":)" +
                                  siblings + "}")
                       .status());
  };
  EXPECT_TRUE(Has(Message(ReadHubListing("").status()), "JSON"));
  EXPECT_TRUE(Has(Message(ReadHubListing("[]").status()), "object"));
  EXPECT_TRUE(Has(Message(ReadHubListing(R"({"sha":"main"})").status()),
                  "40 hexadecimal"));
  EXPECT_TRUE(Has(error("{}"), "siblings"));
  EXPECT_TRUE(Has(error(R"([{"rfilename":"a","size":-1}])"), "size"));
  EXPECT_TRUE(Has(error(R"([{"rfilename":"a","size":1e30}])"), "size"));
  EXPECT_TRUE(Has(error(R"([{"rfilename":"a"}])"), "size"));
  EXPECT_TRUE(
      Has(error(R"([{"rfilename":"a","size":1},{"rfilename":"a","size":1}])"),
          "twice"));
  EXPECT_TRUE(Has(error(R"([{"rfilename":"a","size":1,"lfs":{"size":1}}])"),
                  "64 hexadecimal"));
  EXPECT_TRUE(Has(error(R"([{"rfilename":"a","size":1,"lfs":{"sha256":")" +
                        kDigest + R"(","size":2}}])"),
                  "two sizes"));
  EXPECT_FALSE(ReadHubListing(std::string(100000, '[')).ok());
}

HubListing Listing(const std::vector<std::string>& paths) {
  HubListing out = {.commit = kCommit};
  for (const std::string& path : paths) {
    out.files.push_back({.path = path, .bytes = out.files.size() + 1});
  }
  return out;
}

std::string Chosen(const std::vector<std::string>& paths,
                   const std::string& selector,
                   Projector projector = Projector::kInclude) {
  const auto found = SelectFiles(Listing(paths), selector, projector);
  if (!found.ok()) return "error: " + Message(found.status());
  std::string out;
  for (const HubFile& file : found->files) out += file.path + " ";
  return out;
}

TEST(SelectFiles, TakesTheOnlyGgufAndItsTower) {
  const std::vector<std::string> repo = {"README.md", "m-Q4_0.gguf",
                                         "mmproj-F16.gguf", "mmproj-BF16.gguf"};
  EXPECT_EQ(Chosen(repo, ""), "m-Q4_0.gguf mmproj-BF16.gguf ");
  EXPECT_EQ(Chosen(repo, "", Projector::kLeaveOut), "m-Q4_0.gguf ");
}

TEST(SelectFiles, ByQuantisationFileAndBase) {
  const std::vector<std::string> repo = {"m-Q4_K.gguf", "m-Q4_K_M.gguf",
                                         "x/m-Q8_0.gguf"};
  EXPECT_EQ(Chosen(repo, "q4_k"), "m-Q4_K.gguf ");
  EXPECT_EQ(Chosen(repo, ""), "m-Q4_K_M.gguf ");
  EXPECT_EQ(Chosen(repo, "m-q4_k_m"), "m-Q4_K_M.gguf ");
  EXPECT_EQ(Chosen(repo, "x/m-Q8_0.gguf"), "x/m-Q8_0.gguf ");
  EXPECT_EQ(Chosen(repo, "m-Q8_0.gguf"), "x/m-Q8_0.gguf ");
  EXPECT_TRUE(Has(Chosen(repo, "Q2_K"), "has no GGUF file"));
  EXPECT_TRUE(Has(Chosen({"a.gguf", "b.gguf"}, ""), "several"));
  EXPECT_TRUE(
      Has(Chosen({"a-Q8_0.gguf", "b-Q8_0.gguf"}, "Q8_0"), "could mean any"));
}

TEST(SelectFiles, SeriesAreWholeOrNothing) {
  EXPECT_EQ(Chosen({"m-Q4_0-00001-of-00002.gguf", "m-Q4_0-00002-of-00002.gguf"},
                   "Q4_0"),
            "m-Q4_0-00001-of-00002.gguf m-Q4_0-00002-of-00002.gguf ");
  EXPECT_TRUE(Has(Chosen({"m-Q4_0-00001-of-00002.gguf"}, ""), "there are 2"));
}

TEST(SelectFiles, FoldersNeedTheirConfig) {
  EXPECT_EQ(Chosen({"config.json", "model.safetensors", "tokenizer.json",
                    "onnx/model.safetensors", "pytorch_model.bin"},
                   ""),
            "config.json model.safetensors tokenizer.json ");
  EXPECT_TRUE(Has(Chosen({"model.safetensors"}, ""), "neither GGUF"));
  EXPECT_TRUE(Has(Chosen({}, ""), "neither GGUF"));
  EXPECT_TRUE(Has(Chosen({"config.json", "model.safetensors"}, "Q4_0"),
                  "no GGUF files"));
}

TEST(HubEndpoint, FollowsTheEnvironment) {
  std::map<std::string, std::string> env;
  const auto read = [&] {
    return ReadHubEndpoint([&](const char* name) { return env[name]; });
  };
  EXPECT_TRUE(read()->url.starts_with("https://"));
  EXPECT_EQ(read()->token, "");
  env["HF_ENDPOINT"] = "http://mirror:8080/hub//";
  env["HF_TOKEN"] = " hf_x\n";
  EXPECT_EQ(read()->url, "http://mirror:8080/hub");
  EXPECT_EQ(read()->token, "hf_x");
  for (const char* token : {"hf_x\r\nHost: y", "hf x", "\x01"}) {
    env["HF_TOKEN"] = token;
    EXPECT_FALSE(read().ok());
    EXPECT_FALSE(Has(Message(read().status()), "hf_x"));
  }
  env["HF_TOKEN"] = "";
  for (const char* url : {"ftp://x", "x", "https://u@h", "https://h?q"}) {
    env["HF_ENDPOINT"] = url;
    EXPECT_FALSE(read().ok()) << url;
  }
}

}  // namespace
}  // namespace carat
