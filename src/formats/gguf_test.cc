#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "base/utf8.h"
#include "formats/model_file.h"
#include "formats/test_writers.h"

namespace carat {
namespace {

using testing_util::AppendRaw;
using testing_util::AppendString;
using testing_util::GgufWriter;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string ErrorOf(const std::string& file,
                    StatusCode code = StatusCode::kMalformed) {
  // A copy of the exact size lets the address sanitizer see every overrun.
  const std::vector<uint8_t> exact(file.begin(), file.end());
  Result<GgufFile> parsed = ParseGguf(exact);
  EXPECT_FALSE(parsed.ok());
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), code) << parsed.status().message();
  EXPECT_TRUE(IsValidUtf8(parsed.status().message()));
  return parsed.status().message();
}

void ExpectError(const GgufWriter& writer, const std::string& part,
                 StatusCode code = StatusCode::kMalformed) {
  const std::string message = ErrorOf(writer.Build(), code);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// One of everything.
GgufWriter FullWriter() {
  GgufWriter writer;
  writer.String("general.architecture", "gemma3")
      .U8("u8", 200)
      .U16("u16", 60000)
      .U32("u32", 4000000000u)
      .I32("i32", -5)
      .U64("u64", 1ull << 40)
      .I64("i64", -(1ll << 40))
      .F32("f32", 0.5f)
      .F64("f64", 0.25)
      .Bool("bool", true)
      .Strings("strings", {"", "a", "\xFF"})
      .Array<float>("floats", MetaType::kF32, {1.0f, -2.0f})
      .Array<uint8_t>("bools", MetaType::kBool, {1, 0})
      .Zeros("token_embd.weight", {3, 32}, DType::kQ4_0)
      .Tensor("norm", {2}, DType::kF32, std::string("\0\0\x80?\0\0\0@", 8))
      .Zeros("experts", {2, 3, 256}, DType::kQ6_K);
  return writer;
}

TEST(GgufTest, ReadsEveryKindOfValue) {
  for (const uint32_t version : {2u, 3u}) {
    GgufWriter writer = FullWriter();
    writer.version = version;
    const std::string file = writer.Build();
    Result<GgufFile> parsed = ParseGguf(Bytes(file));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(parsed->version, version);
    const Metadata& meta = parsed->metadata;
    EXPECT_EQ(*meta.String("general.architecture"), "gemma3");
    EXPECT_EQ(*meta.Int("u8"), 200);
    EXPECT_EQ(*meta.Int("u16"), 60000);
    EXPECT_EQ(*meta.Int("u32"), 4000000000);
    EXPECT_EQ(*meta.Int("i32"), -5);
    EXPECT_EQ(*meta.Int("u64"), 1ll << 40);
    EXPECT_EQ(*meta.Int("i64"), -(1ll << 40));
    EXPECT_EQ(*meta.Double("f32"), 0.5);
    EXPECT_EQ(*meta.Double("f64"), 0.25);
    EXPECT_EQ(*meta.Bool("bool"), true);
    EXPECT_EQ((*meta.Array("strings"))->strings,
              (std::vector<std::string_view>{"", "a", "\xFF"}));
    EXPECT_EQ((*meta.Array("floats"))->DoubleAt(1), -2.0);
    EXPECT_EQ(*meta.Ints("bools"), (std::vector<int64_t>{1, 0}));
  }
}

TEST(GgufTest, TensorsAreViewsWithTheSlowestDimensionFirst) {
  const std::string file = FullWriter().Build();
  Result<GgufFile> parsed = ParseGguf(Bytes(file));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ASSERT_EQ(parsed->tensors.size(), 3u);
  const TensorView& embd = parsed->tensors[0];
  EXPECT_EQ(embd.name, "token_embd.weight");
  EXPECT_EQ(embd.type, DType::kQ4_0);
  EXPECT_EQ(embd.shape, (std::vector<int64_t>{3, 32}));
  EXPECT_EQ(embd.bytes, 3u * 18);
  const TensorView& norm = parsed->tensors[1];
  float values[2];
  std::memcpy(values, norm.data, sizeof(values));
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], 2.0f);
  EXPECT_EQ((norm.data - Bytes(file).data()) % 32, 0);
  EXPECT_EQ(parsed->tensors[2].shape, (std::vector<int64_t>{2, 3, 256}));
}

TEST(GgufTest, KeepsToTheAlignmentOfTheFile) {
  GgufWriter writer;
  writer.alignment = 128;
  writer.Zeros("a", {1}, DType::kF32).Zeros("b", {1}, DType::kF32);
  const std::string file = writer.Build();
  Result<GgufFile> parsed = ParseGguf(Bytes(file));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->alignment, 128u);
  EXPECT_EQ(parsed->data_offset % 128, 0u);
  EXPECT_EQ(parsed->tensors[1].data - parsed->tensors[0].data, 128);
  for (const uint32_t bad : {0u, 1u, 4u, 48u, 1u << 31}) {
    ExpectError(GgufWriter().U32("general.alignment", bad),
                "general.alignment is");
  }
  ExpectError(GgufWriter().String("general.alignment", "32"), "an integer");
}

TEST(GgufTest, TruncationAtEveryByteIsAnErrorThatSaysSo) {
  const std::string file = FullWriter().Build();
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string message = ErrorOf(file.substr(0, size));
    if (size >= 4) {
      EXPECT_NE(message.find("truncated"), std::string::npos)
          << size << ": " << message;
    }
  }
  EXPECT_TRUE(ParseGguf(Bytes(file)).ok());
}

TEST(GgufTest, TruncatedDataSaysHowManyBytesAreMissing) {
  GgufWriter writer;
  writer.Zeros("a", {1024}, DType::kF32);
  const std::string file = writer.Build();
  const std::string message = ErrorOf(file.substr(0, file.size() - 100));
  EXPECT_NE(message.find(std::to_string(file.size())), std::string::npos);
  EXPECT_NE(message.find(std::to_string(file.size() - 100)), std::string::npos);
  EXPECT_NE(message.find("100 are missing"), std::string::npos);
}

// Whatever the bytes, parsing ends with views inside the file or an error.
TEST(GgufTest, FlippedBytesNeverBreakTheParser) {
  const std::string file = FullWriter().Build();
  std::mt19937 random(1);
  const auto check = [&](const std::string& damaged) {
    const std::vector<uint8_t> exact(damaged.begin(), damaged.end());
    Result<GgufFile> parsed = ParseGguf(exact);
    if (!parsed.ok()) {
      EXPECT_TRUE(IsValidUtf8(parsed.status().message()));
      return;
    }
    for (const TensorView& view : parsed->tensors) {
      ASSERT_GE(view.data, exact.data());
      ASSERT_LE(view.data + view.bytes, exact.data() + exact.size());
      ASSERT_EQ(view.bytes, DTypeBytes(view.type, view.elements()));
    }
  };
  for (size_t i = 0; i < file.size(); ++i) {
    for (const uint8_t mask : {0x01, 0x80, 0xFF}) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      check(damaged);
    }
  }
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = file;
    for (int k = 0; k < 4; ++k) {
      damaged[random() % 800 % damaged.size()] = static_cast<char>(random());
    }
    check(damaged);
  }
}

TEST(GgufTest, RefusesOtherMagicVersionsAndByteOrder) {
  EXPECT_NE(ErrorOf("GGML").find("GGUF"), std::string::npos);
  EXPECT_NE(ErrorOf("").find("GGUF"), std::string::npos);
  for (const uint32_t version : {0u, 1u, 4u, 0x10003u}) {
    GgufWriter writer;
    writer.version = version;
    ExpectError(writer, "version", StatusCode::kUnsupported);
  }
  GgufWriter swapped;
  swapped.version = 3u << 24;
  ExpectError(swapped, "big-endian", StatusCode::kUnsupported);
}

TEST(GgufTest, RefusesAbsurdCounts) {
  for (const uint64_t count : {uint64_t{100000}, ~uint64_t{0}}) {
    GgufWriter many_tensors;
    many_tensors.claimed_tensors = count;
    ExpectError(many_tensors, "claims");
    GgufWriter many_keys;
    many_keys.claimed_keys = count;
    ExpectError(many_keys, "claims");
  }
  for (const uint64_t count : {uint64_t{1} << 20, uint64_t{1} << 61,
                               uint64_t{1} << 62, ~uint64_t{0}}) {
    for (const MetaType type :
         {MetaType::kU8, MetaType::kF64, MetaType::kString}) {
      ExpectError(
          GgufWriter().RawKey("k", 9, GgufWriter::ArrayHead(type, count)),
          "claims an array");
    }
  }
  std::string huge_string;
  AppendRaw(~uint64_t{0}, &huge_string);
  ExpectError(GgufWriter().RawKey("k", 8, huge_string), "truncated");
}

TEST(GgufTest, RefusesBadKeys) {
  ExpectError(GgufWriter().U8("k", 1).U8("k", 2), "\"k\" appears twice");
  ExpectError(GgufWriter().U8("", 1), "without a name");
  ExpectError(GgufWriter().U8("\xFF", 1), "not UTF-8");
  ExpectError(GgufWriter().U8(std::string(2000, 'k'), 1), "at most 1024");
  ExpectError(GgufWriter().RawKey("k", 13, "x"), "unknown type 13");
  ExpectError(GgufWriter().RawKey("k", 7, "\x02"), "neither 0 nor 1");
  ExpectError(GgufWriter().Array<uint8_t>("k", MetaType::kBool, {0, 9}),
              "neither 0 nor 1");
  ExpectError(GgufWriter().RawKey(
                  "k", 9, GgufWriter::ArrayHead(static_cast<MetaType>(77), 0)),
              "unknown type 77");
  ExpectError(
      GgufWriter().RawKey("k", 9, GgufWriter::ArrayHead(MetaType::kArray, 1)),
      "array of arrays", StatusCode::kUnsupported);
}

TEST(GgufTest, RefusesBadTensors) {
  const std::string data(4096, '\0');
  const auto one = [&](const std::vector<uint64_t>& dims, uint32_t type,
                       uint64_t offset) {
    return GgufWriter().RawTensor("t", dims, type, offset).RawData(data);
  };
  EXPECT_TRUE(ParseGguf(Bytes(one({4}, 0, 0).Build())).ok());
  EXPECT_TRUE(ParseGguf(Bytes(one({}, 0, 0).Build())).ok());  // a scalar
  ExpectError(one({1, 1, 1, 1, 1}, 0, 0), "5 dimensions");
  ExpectError(one({4, 0}, 0, 0), "impossible dimension 0");
  ExpectError(one({~uint64_t{0}}, 0, 0), "impossible dimension");
  ExpectError(one({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), "larger than");
  ExpectError(one({uint64_t{1} << 62}, 0, 0), "larger than");
  ExpectError(one({33, 2}, 2, 0), "blocks of 32");
  ExpectError(one({32, 3}, 12, 0), "blocks of 256");
  ExpectError(one({4}, 0, 16), "not a multiple of the file's alignment");
  ExpectError(one({4}, 0, 1 << 20), "truncated");
  ExpectError(one({4}, 0, ~uint64_t{0} - 31), "beyond any file");
  ExpectError(one({1024}, 0, 32), "32 are missing");
  ExpectError(GgufWriter()
                  .RawTensor("a", {16}, 0, 0)
                  .RawTensor("b", {16}, 0, 32)
                  .RawData(data),
              "\"a\" and \"b\" overlap");
  ExpectError(GgufWriter()
                  .RawTensor("a", {8}, 0, 0)
                  .RawTensor("a", {8}, 0, 32)
                  .RawData(data),
              "\"a\" appears twice");
}

TEST(GgufTest, UnreadableTypesAreNamedWithTheirTensor) {
  const auto with_type = [](uint32_t type) {
    return GgufWriter().RawTensor("blk.0.w\n", {256}, type, 0);
  };
  ExpectError(with_type(34), "\"blk.0.w\\n\" has the type 34 (TQ1_0)",
              StatusCode::kUnsupported);
  ExpectError(with_type(1000), "has the type 1000", StatusCode::kUnsupported);
}

class GgufFileTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  // Part `number` of 3 with one tensor named after it.
  static GgufWriter Part(int number) {
    GgufWriter writer;
    writer.U16("split.no", static_cast<uint16_t>(number - 1))
        .U16("split.count", 3)
        .I32("split.tensors.count", 3);
    if (number == 1) writer.String("general.architecture", "gemma4");
    return writer.Zeros("t" + std::to_string(number), {8}, DType::kF32);
  }
  void Write(const std::string& name, const GgufWriter& writer) const {
    testing_util::WriteFile(Path(name), writer.Build());
  }
  void WriteSeries() const {
    for (int i = 1; i <= 3; ++i) {
      Write("m-0000" + std::to_string(i) + "-of-00003.gguf", Part(i));
    }
  }
  void ExpectOpenError(const std::string& name, const std::string& part) const {
    Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(Path(name));
    ASSERT_FALSE(model.ok());
    EXPECT_NE(model.status().message().find(part), std::string::npos)
        << model.status().message();
  }

  const TestFolder folder_;
};

TEST_F(GgufFileTest, OpensAFileWhateverItsName) {
  GgufWriter writer = FullWriter();
  writer.String("tokenizer.chat_template", "{{ x }}");
  Write("sha256-0123", writer);
  Result<std::unique_ptr<ModelFile>> model =
      ModelFile::Open(Path("sha256-0123"));
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->kind(), ModelFile::Kind::kGguf);
  EXPECT_EQ((*model)->file_bytes(), writer.Build().size());
  EXPECT_EQ((*model)->chat_template(), "{{ x }}");
  EXPECT_TRUE((*model)->config().is_null());
  ASSERT_NE((*model)->Find("norm"), nullptr);
  EXPECT_EQ((*model)->Find("absent"), nullptr);
  (*model)->WillNeed(*(*model)->Find("norm"));
  (*model)->RandomAccess(*(*model)->Find("norm"));
  (*model)->Release(*(*model)->Find("norm"));
}

TEST_F(GgufFileTest, AnyPartOpensTheWholeSeries) {
  WriteSeries();
  for (int i = 1; i <= 3; ++i) {
    Result<std::unique_ptr<ModelFile>> model =
        ModelFile::Open(Path("m-0000" + std::to_string(i) + "-of-00003.gguf"));
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->tensors().size(), 3u);
    EXPECT_NE((*model)->Find("t1"), nullptr);
    EXPECT_NE((*model)->Find("t3"), nullptr);
    EXPECT_EQ(*(*model)->metadata().String("general.architecture"), "gemma4");
    EXPECT_EQ((*model)->file_bytes(), Part(1).Build().size() +
                                          Part(2).Build().size() +
                                          Part(3).Build().size());
  }
}

TEST_F(GgufFileTest, MissingPartIsNamed) {
  WriteSeries();
  std::filesystem::remove(Path("m-00002-of-00003.gguf"));
  ExpectOpenError("m-00003-of-00003.gguf", "part 2 of 3");
  ExpectOpenError("m-00003-of-00003.gguf", "m-00002-of-00003.gguf");
}

TEST_F(GgufFileTest, RenamedOrMixedPartsAreRefused) {
  WriteSeries();
  Write("m-00002-of-00003.gguf", Part(3));
  ExpectOpenError("m-00001-of-00003.gguf", "this is part 2 of 3, but inside");
  Write("other.gguf", Part(1));
  ExpectOpenError("other.gguf", "original names");
  Write("m-00001-of-00004.gguf", Part(1));
  ExpectOpenError("m-00001-of-00004.gguf", "original names");
  GgufWriter alone;
  alone.Zeros("t2", {8}, DType::kF32);
  Write("m-00002-of-00003.gguf", alone);
  ExpectOpenError("m-00001-of-00003.gguf", "lacks the metadata key");
}

TEST_F(GgufFileTest, SeriesMustHoldTheTensorsItPromises) {
  WriteSeries();
  GgufWriter empty;
  empty.U16("split.no", 1).U16("split.count", 3);
  Write("m-00002-of-00003.gguf", empty);
  ExpectOpenError("m-00001-of-00003.gguf", "should have 3 tensors");
  GgufWriter twice;
  twice.U16("split.no", 1).U16("split.count", 3);
  twice.Zeros("t1", {8}, DType::kF32);
  Write("m-00002-of-00003.gguf", twice);
  ExpectOpenError("m-00001-of-00003.gguf", "is in another part as well");
}

TEST_F(GgufFileTest, WrongPathsGetPleasantErrors) {
  WriteSeries();
  ExpectOpenError("absent.gguf", "there is no file or folder at");
  ExpectOpenError("absent.gguf", "m-00001-of-00003.gguf");
  ExpectOpenError("", "is a folder with GGUF files");
  testing_util::WriteFile(Path("empty.gguf"), "");
  ExpectOpenError("empty.gguf", "it is empty");
  testing_util::WriteFile(Path("lfs.gguf"),
                          "version https://git-lfs.github.com/spec/v1\n");
  ExpectOpenError("lfs.gguf", "Git LFS pointer");
  testing_util::WriteFile(Path("page.gguf"), "<!DOCTYPE html><html>");
  ExpectOpenError("page.gguf", "web page");
  testing_util::WriteFile(Path("a.safetensors"),
                          testing_util::SafetensorsBytes("{}", ""));
  ExpectOpenError("a.safetensors", "give the folder");
  EXPECT_EQ(ModelFile::Open(Path("absent")).status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(ModelFile::Open("").ok());
  EXPECT_FALSE(ModelFile::Open("/dev/null").ok());
}

TEST(RealModelTest, HeaderParsesQuicklyAndCompletely) {
  const char* path = std::getenv("CARAT_TEST_MODEL");
  if (path == nullptr) {
    GTEST_SKIP() << "set CARAT_TEST_MODEL to the Gemma 3 270M GGUF file";
  }
  const auto start = std::chrono::steady_clock::now();
  Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(path);
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Metadata& meta = (*model)->metadata();
  EXPECT_EQ(*meta.String("general.architecture"), "gemma3");
  EXPECT_EQ(*meta.Int("gemma3.embedding_length"), 640);
  EXPECT_EQ((*meta.Array("tokenizer.ggml.tokens"))->strings.size(), 262144u);
  EXPECT_EQ((*meta.Array("tokenizer.ggml.scores"))->count, 262144u);
  const TensorView* embd = (*model)->Find("token_embd.weight");
  ASSERT_NE(embd, nullptr);
  EXPECT_EQ(embd->shape, (std::vector<int64_t>{262144, 640}));
  EXPECT_EQ((*model)->tensors().size(), 236u);
  EXPECT_LT(took.count(), 1000) << "milliseconds";
}

}  // namespace
}  // namespace carat
