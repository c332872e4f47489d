#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "base/utf8.h"
#include "formats/hf_config.h"
#include "formats/model_file.h"
#include "formats/test_writers.h"

namespace carat {
namespace {

using testing_util::SafetensorsBytes;
using testing_util::SafetensorsWriter;
using testing_util::WriteFile;

std::string ErrorOf(const std::string& file,
                    StatusCode code = StatusCode::kMalformed) {
  const std::vector<uint8_t> exact(file.begin(), file.end());
  Result<std::vector<TensorView>> parsed = ParseSafetensors(exact);
  EXPECT_FALSE(parsed.ok()) << file;
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), code) << parsed.status().message();
  EXPECT_TRUE(IsValidUtf8(parsed.status().message()));
  return parsed.status().message();
}

void ExpectError(const std::string& file, const std::string& part,
                 StatusCode code = StatusCode::kMalformed) {
  const std::string message = ErrorOf(file, code);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// A header with one tensor, padded so that its data is aligned.
std::string WithEntry(const std::string& entry, size_t data_bytes) {
  std::string header = "{\"t\":" + entry + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return SafetensorsBytes(header, std::string(data_bytes, '\0'));
}

std::string FullFile() {
  return SafetensorsWriter()
      .Metadata("format", "pt")
      .Tensor("a.weight", "F32", {2, 2}, std::string(16, '\x11'))
      .Tensor("b.weight", "BF16", {4}, std::string(8, '\x22'))
      .Tensor("c", "I64", {}, std::string(8, '\x33'))
      .Tensor("none", "F16", {0, 5}, "")
      .Tensor("d", "I8", {3}, std::string(3, '\x44'))
      .Build();
}

TEST(SafetensorsTest, TensorsAreViews) {
  const std::string file = FullFile();
  Result<std::vector<TensorView>> parsed = ParseSafetensors(
      {reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ASSERT_EQ(parsed->size(), 5u);
  const TensorView& a = (*parsed)[0];
  EXPECT_EQ(a.name, "a.weight");
  EXPECT_EQ(a.type, DType::kF32);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(a.bytes, 16u);
  EXPECT_EQ(a.data[0], 0x11);
  EXPECT_EQ((*parsed)[1].data[7], 0x22);
  EXPECT_TRUE((*parsed)[2].shape.empty());
  EXPECT_EQ((*parsed)[3].bytes, 0u);
  EXPECT_EQ((*parsed)[4].data[2], 0x44);
}

TEST(SafetensorsTest, TruncationAtEveryByteIsAnErrorThatSaysSo) {
  const std::string file = FullFile();
  for (size_t size = 0; size < file.size(); ++size) {
    ExpectError(file.substr(0, size), "truncated");
  }
  ExpectError(file.substr(0, file.size() - 2), "2 are missing");
}

TEST(SafetensorsTest, FlippedBytesNeverBreakTheParser) {
  const std::string file = FullFile();
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> damaged(file.begin(), file.end());
    const int flips = 1 + static_cast<int>(random() % 3);
    for (int k = 0; k < flips; ++k) {
      damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    }
    Result<std::vector<TensorView>> parsed = ParseSafetensors(damaged);
    if (!parsed.ok()) continue;
    for (const TensorView& view : *parsed) {
      ASSERT_GE(view.data, damaged.data());
      ASSERT_LE(view.data + view.bytes, damaged.data() + damaged.size());
      ASSERT_EQ(view.bytes, DTypeBytes(view.type, view.elements()));
    }
  }
}

TEST(SafetensorsTest, RefusesBadHeaders) {
  std::string huge;
  testing_util::AppendRaw(~uint64_t{0}, &huge);
  ExpectError(huge, "claims a header of 18446744073709551615 bytes");
  ExpectError(SafetensorsBytes("[]", ""), "should be an object");
  ExpectError(SafetensorsBytes("{", ""), "in the safetensors header");
  ExpectError(SafetensorsBytes("", ""), "in the safetensors header");
  ExpectError(SafetensorsBytes(std::string(1000, '['), ""), "nested");
  ExpectError(SafetensorsBytes(R"({"a":{},"a":{}})", ""), "needs a dtype");
}

TEST(SafetensorsTest, RefusesDuplicateNames) {
  ExpectError(SafetensorsBytes(
                  R"({"t":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                  R"("t":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                  "xx"),
              "\"t\" appears twice");
}

TEST(SafetensorsTest, RefusesBadEntries) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
  };
  ErrorOf(WithEntry("1", 0));
  ErrorOf(WithEntry("{\"dtype\":\"F32\"}", 0));
  ExpectError(WithEntry(entry("F8_E4M3", "[1]", "[0,1]"), 1), "F8_E4M3",
              StatusCode::kUnsupported);
  ExpectError(WithEntry(entry("F32", "[-1]", "[0,4]"), 4),
              "impossible dimension -1");
  ExpectError(WithEntry(entry("F32", "[1.5]", "[0,4]"), 4),
              "impossible dimension 1.5");
  ExpectError(WithEntry(entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4),
              "9 dimensions");
  ExpectError(WithEntry(entry("F32", "[4611686018427387904,4]", "[0,4]"), 4),
              "larger than any memory");
  ExpectError(WithEntry(entry("F32", "[0,4611686018427387904,4]", "[0,0]"), 0),
              "larger than any memory");
  ExpectError(WithEntry(entry("F32", "[2]", "[0,4]"), 4),
              "takes 8 bytes according to its type F32 and shape [2], but its "
              "data_offsets span 4");
  for (const char* offsets :
       {"[0]", "[0,4,8]", "[4,0]", "[-4,0]", "[0,\"4\"]", "[0.0,4.0]", "[]"}) {
    ExpectError(WithEntry(entry("F32", "[1]", offsets), 4), "data_offsets");
  }
  ExpectError(
      WithEntry(
          entry("F32", "[1]", "[9223372036854775800,9223372036854775804]"), 4),
      "where 0 was expected");
}

TEST(SafetensorsTest, RefusesGapsOverlapsAndTrailingBytes) {
  const auto two = [](const std::string& first, const std::string& second,
                      size_t bytes) {
    std::string header =
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
        R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return SafetensorsBytes(header, std::string(bytes, '\0'));
  };
  const std::string good = two("[4,8]", "[0,4]", 8);
  EXPECT_TRUE(ParseSafetensors(
                  {reinterpret_cast<const uint8_t*>(good.data()), good.size()})
                  .ok());
  ExpectError(two("[0,4]", "[0,4]", 8), "overlap");
  ExpectError(two("[0,4]", "[8,12]", 12), "leave gaps");
  ExpectError(two("[0,4]", "[4,8]", 9), "1 bytes after its last tensor");
}

TEST(SafetensorsTest, RefusesMisalignedTensors) {
  ExpectError(
      SafetensorsBytes(
          R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )", "1234"),
      "not a multiple of its element size 4", StatusCode::kUnsupported);
}

TEST(SafetensorsIndexTest, ReadsTheWeightMap) {
  Result<std::map<std::string, std::string>> index = ParseSafetensorsIndex(
      R"({"metadata":{"total_size":8},"weight_map":{"a":"x.safetensors"}})");
  ASSERT_TRUE(index.ok()) << index.status().message();
  EXPECT_EQ(index->at("a"), "x.safetensors");
}

TEST(SafetensorsIndexTest, RefusesNamesOutsideTheFolder) {
  for (const char* name :
       {"../x.safetensors", "/x.safetensors", "a/x.safetensors",
        "a\\\\x.safetensors", ".safetensors", "x.bin", "", ".",
        "x\\u0000.safetensors"}) {
    const std::string text =
        std::string(R"({"weight_map":{"a":")") + name + "\"}}";
    Result<std::map<std::string, std::string>> index =
        ParseSafetensorsIndex(text);
    ASSERT_FALSE(index.ok()) << name;
    EXPECT_NE(index.status().message().find("same folder"), std::string::npos)
        << index.status().message();
  }
  for (const char* text :
       {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})",
        R"({"weight_map":{"a":1}})",
        R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})"}) {
    EXPECT_FALSE(ParseSafetensorsIndex(text).ok()) << text;
  }
}

class FolderTest : public testing::Test {
 protected:
  void Write(const std::string& name, std::string_view bytes) const {
    WriteFile(folder_ + "/" + name, bytes);
  }
  void WriteShards() const {
    Write("config.json", "{}");
    Write("one.safetensors",
          SafetensorsWriter().Tensor("a", "F32", {1}, "1234").Build());
    Write("two.safetensors",
          SafetensorsWriter().Tensor("b", "F32", {1}, "5678").Build());
    Write("model.safetensors.index.json",
          R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  }
  std::unique_ptr<ModelFile> MustOpen() const {
    Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(folder_);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? std::move(*model) : nullptr;
  }
  void ExpectOpenError(const std::string& part) const {
    Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(folder_);
    ASSERT_FALSE(model.ok());
    EXPECT_NE(model.status().message().find(part), std::string::npos)
        << model.status().message();
  }

  const TestFolder top_;
  const std::string folder_ = top_.string();
};

TEST_F(FolderTest, OpensASingleFileWithItsSurroundings) {
  Write("config.json", R"({"model_type":"gemma3_text"})");
  Write("generation_config.json", R"({"top_k":64})");
  Write("model.safetensors", FullFile());
  Write("tokenizer.json", "{\"t\":1}");
  Write("tokenizer.model", "spm");
  Write("chat_template.jinja", "{{ a }}");
  Write("tokenizer_config.json", R"({"chat_template":"{{ b }}"})");
  const std::unique_ptr<ModelFile> model = MustOpen();
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->kind(), ModelFile::Kind::kSafetensors);
  EXPECT_EQ(model->config().Find("model_type")->as_string(), "gemma3_text");
  EXPECT_EQ(model->generation_config().Find("top_k")->as_int(), 64);
  EXPECT_EQ(model->tokenizer_json(), "{\"t\":1}");
  EXPECT_EQ(model->tokenizer_model(), "spm");
  EXPECT_EQ(model->chat_template(), "{{ a }}");
  EXPECT_EQ(model->tensors().size(), 5u);
  EXPECT_EQ(model->file_bytes(), FullFile().size());
  ASSERT_NE(model->Find("b.weight"), nullptr);
}

TEST_F(FolderTest, EverythingButConfigAndWeightsIsOptional) {
  Write("config.json", "{}");
  Write("model.safetensors", FullFile());
  const std::unique_ptr<ModelFile> model = MustOpen();
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(model->generation_config().is_null());
  EXPECT_TRUE(model->tokenizer_json().empty());
  EXPECT_TRUE(model->tokenizer_model().empty());
  EXPECT_TRUE(model->chat_template().empty());
}

TEST_F(FolderTest, TemplateFallsBackToTokenizerConfig) {
  Write("config.json", "{}");
  Write("model.safetensors", FullFile());
  Write("tokenizer_config.json", R"({"chat_template":"{{ b }}"})");
  EXPECT_EQ(MustOpen()->chat_template(), "{{ b }}");
}

TEST_F(FolderTest, OpensShards) {
  WriteShards();
  const std::unique_ptr<ModelFile> model = MustOpen();
  ASSERT_NE(model, nullptr);
  ASSERT_NE(model->Find("a"), nullptr);
  ASSERT_NE(model->Find("b"), nullptr);
  EXPECT_EQ(model->Find("b")->data[0], '5');
}

TEST_F(FolderTest, BrokenShardsAreNamed) {
  WriteShards();
  std::filesystem::remove(folder_ + "/two.safetensors");
  ExpectOpenError("two.safetensors");
  Write("two.safetensors",
        SafetensorsWriter().Tensor("a", "F32", {1}, "5678").Build());
  ExpectOpenError("\"a\" is in another file as well");
  Write("two.safetensors",
        SafetensorsWriter().Tensor("c", "F32", {1}, "5678").Build());
  ExpectOpenError("holds the tensor \"b\", but no file does");
  Write("two.safetensors", "short");
  ExpectOpenError("two.safetensors: the file is truncated");
}

TEST_F(FolderTest, IncompleteFoldersGetPleasantErrors) {
  ExpectOpenError("has no config.json");
  Write("config.json", "{}");
  ExpectOpenError("neither model.safetensors nor");
  Write("model.safetensors", FullFile());
  Write("config.json", "[1]");
  ExpectOpenError("config.json: it should be a JSON object but is array");
  Write("config.json", "{\"a\":}");
  ExpectOpenError("config.json: invalid JSON at byte");
}

TEST(ChatTemplateTest, TakesStringsAndNamedLists) {
  const auto of = [](std::string_view json) {
    return ChatTemplateOf(*ParseConfigJson(json));
  };
  EXPECT_EQ(*of("{}"), "");
  EXPECT_EQ(*of(R"({"chat_template":null})"), "");
  EXPECT_EQ(*of(R"({"chat_template":"x"})"), "x");
  EXPECT_EQ(*of(R"({"chat_template":[{"name":"tool_use","template":"t"},)"
                R"({"name":"default","template":"d"}]})"),
            "d");
  EXPECT_EQ(*of(R"({"chat_template":[{"name":"n","template":"t"}]})"), "t");
  EXPECT_EQ(*of(R"({"chat_template":[{"name":"n","template":"t"},)"
                R"({"name":"m","template":"u"}]})"),
            "");
  EXPECT_FALSE(of(R"({"chat_template":1})").ok());
  EXPECT_FALSE(of(R"({"chat_template":[1]})").ok());
}

}  // namespace
}  // namespace carat
