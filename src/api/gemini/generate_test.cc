// Gemini's bodies, on a tiny model that emits noise: the framing to the byte,
// and shapes whatever the model prefers.
#include <gtest/gtest.h>

#include "api/gemini/context.h"
#include "api/test_host.h"

namespace carat {
namespace {

class GeminiTest : public testing::Test {
 protected:
  TestReply Call(HttpRequest request) {
    TestReply reply;
    EXPECT_TRUE(HandleGemini(&context_, request, &reply)) << request.path;
    return reply;
  }
  TestReply Generate(std::string body) {
    return Call(Post("/v1beta/models/tiny:generateContent", std::move(body)));
  }
  TestReply Stream(std::string body) {
    HttpRequest request =
        Post("/v1beta/models/tiny:streamGenerateContent", std::move(body));
    request.query = "alt=sse";
    return Call(std::move(request));
  }
  // The JSON of every event; fails on any byte outside "data: ...\n\n".
  static std::vector<Json> Events(std::string_view body) {
    std::vector<Json> out;
    while (!body.empty()) {
      EXPECT_TRUE(body.starts_with("data: ")) << body;
      const size_t end = body.find("\n\n");
      if (end == body.npos || !body.starts_with("data: ")) {
        ADD_FAILURE() << "an event does not end: " << body;
        return out;
      }
      auto json = Json::Parse(body.substr(6, end - 6));
      EXPECT_TRUE(json.ok()) << body.substr(0, end);
      if (json.ok()) out.push_back(std::move(*json));
      body.remove_prefix(end + 2);
    }
    return out;
  }
  static std::string ErrorOf(const TestReply& reply) {
    const Json message = At(reply.json(), "error.message");
    return message.is_string() ? message.as_string() : "";
  }

  static TestHost* host() {
    static TestHost host;
    return &host;
  }
  GeminiContext context_ = {.host = host(), .options = {}};
};

constexpr const char* kHello =
    R"({"contents":[{"parts":[{"text":"hello"}]}],)"
    R"("generationConfig":{"maxOutputTokens":6,"seed":1}})";

TEST_F(GeminiTest, AWholeAnswerHasPartsReasonAndUsage) {
  const TestReply reply = Generate(kHello);
  EXPECT_EQ(reply.status, 200);
  const Json json = reply.json();
  EXPECT_EQ(At(json, "candidates.0.content.role"), Json("model"));
  EXPECT_TRUE(At(json, "candidates.0.content.parts.0.text").is_string());
  EXPECT_EQ(At(json, "candidates.0.finishReason"), Json("MAX_TOKENS"));
  EXPECT_EQ(At(json, "candidates.0.index"), Json(0));
  EXPECT_EQ(At(json, "usageMetadata.candidatesTokenCount"), Json(6));
  EXPECT_EQ(At(json, "usageMetadata.totalTokenCount").as_int(),
            At(json, "usageMetadata.promptTokenCount").as_int() + 6);
  EXPECT_EQ(At(json, "modelVersion"), Json("tiny"));
}

TEST_F(GeminiTest, EveryChunkHasAPartAndTheTextIsThatOfTheWholeAnswer) {
  const TestReply reply = Stream(kHello);
  EXPECT_EQ(reply.Header("content-type"), "text/event-stream");
  const std::vector<Json> events = Events(reply.body);
  ASSERT_GE(events.size(), 2u);
  std::string text;
  for (size_t i = 0; i < events.size(); ++i) {
    const Json part = At(events[i], "candidates.0.content.parts.0.text");
    ASSERT_TRUE(part.is_string()) << events[i].Dump();
    text += part.as_string();
    EXPECT_EQ(At(events[i], "candidates.0.finishReason").is_null(),
              i + 1 < events.size());
  }
  EXPECT_TRUE(At(events.back(), "usageMetadata.totalTokenCount").is_int());
  EXPECT_EQ(Json(text),
            At(Generate(kHello).json(), "candidates.0.content.parts.0.text"));
}

TEST_F(GeminiTest, WithoutSseTheStreamIsOneJsonArray) {
  const TestReply reply =
      Call(Post("/v1beta/models/tiny:streamGenerateContent", kHello));
  EXPECT_EQ(reply.Header("content-type"), "application/json; charset=UTF-8");
  EXPECT_TRUE(reply.body.starts_with("[{"));
  EXPECT_NE(reply.body.find("},\r\n{"), std::string::npos);
  EXPECT_GE(reply.json().as_array().size(), 2u);
}

TEST_F(GeminiTest, ModelNamesHoldSlashesAndColonsInEveryForm) {
  for (const char* path :
       {"/v1beta/models/org/tiny:4:generateContent",
        "/v1/models/org%2Ftiny:4:generateContent",
        "/v1beta/tunedModels/tiny:generateContent",
        "/v1beta1/projects/p/locations/l/publishers/google/models/"
        "tiny:generateContent",
        "/v1beta1/publishers/google/models/tiny:generateContent",
        "/publishers/google/models/tiny:generateContent"}) {
    EXPECT_EQ(Call(Post(path, kHello)).status, 200) << path;
  }
}

TEST_F(GeminiTest, AForcedCallIsOfTheAllowedFunctionAndFitsItsSchema) {
  for (int seed = 0; seed < 5; ++seed) {
    const TestReply reply = Generate(
        R"({"contents":[{"role":"user","parts":[{"text":"x"}]}],"tools":[
          {"functionDeclarations":[
            {"name":"dim","description":"Dims","parameters":{"type":"OBJECT",
             "properties":{"level":{"type":"INTEGER","minimum":0,"maximum":"9"},
                           "lamp":{"type":"STRING","enum":["a","b"]}},
             "required":["level","lamp"]}},
            {"name":"off","parameters_json_schema":{"type":"object"}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY",
          "allowedFunctionNames":["dim"]}},
        "generationConfig":{"maxOutputTokens":300,"seed":)" +
        std::to_string(seed) + "}}");
    const Json json = reply.json();
    const Json parts = At(json, "candidates.0.content.parts");
    ASSERT_TRUE(parts.is_array()) << reply.body;
    if (At(json, "candidates.0.finishReason") != Json("STOP")) continue;
    for (const Json& part : parts.as_array()) {
      EXPECT_EQ(At(part, "functionCall.name"), Json("dim"));
      const Json level = At(part, "functionCall.args.level");
      ASSERT_TRUE(level.is_int()) << reply.body;
      EXPECT_TRUE(level.as_int() >= 0 && level.as_int() <= 9);
    }
  }
}

TEST_F(GeminiTest, AResponseSchemaShapesTheAnswerInItsPropertyOrder) {
  const TestReply reply = Generate(
      R"({"contents":"x","generationConfig":{"seed":3,"maxOutputTokens":400,
        "responseMimeType":"application/json","responseSchema":{
          "type":"OBJECT","properties":{"a":{"type":"BOOLEAN"},
          "b":{"type":"string","enum":["x","y"]}},"required":["a","b"],
          "property_ordering":["b","a"]}}})");
  const Json text = At(reply.json(), "candidates.0.content.parts.0.text");
  ASSERT_TRUE(text.is_string()) << reply.body;
  const auto value = Json::Parse(text.as_string());
  ASSERT_TRUE(value.ok()) << text.as_string();
  ASSERT_EQ(value->as_object().size(), 2u);
  EXPECT_EQ(value->as_object()[0].first, "b");
  EXPECT_TRUE(value->Find("a")->is_bool());
}

TEST_F(GeminiTest, WithToolsAndASchemaTheAnswerIsCallsOrOfTheSchema) {
  for (int seed = 0; seed < 6; ++seed) {
    const Json json =
        Generate(R"({"contents":"x","tools":[{"functionDeclarations":[
            {"name":"off"}]}],"generationConfig":{"maxOutputTokens":300,
            "responseMimeType":"application/json","responseSchema":{"type":
            "OBJECT","properties":{"a":{"type":"BOOLEAN"}},"required":["a"]},
            "seed":)" +
                 std::to_string(seed) + "}}")
            .json();
    const Json part = At(json, "candidates.0.content.parts.0");
    if (At(part, "functionCall").is_object()) {
      EXPECT_EQ(At(part, "functionCall.name"), Json("off"));
      continue;
    }
    const Json text = At(part, "text");
    ASSERT_TRUE(text.is_string()) << json.Dump();
    const auto value = Json::Parse(text.as_string());
    ASSERT_TRUE(value.ok()) << text.as_string();
    EXPECT_TRUE(value->Find("a")->is_bool());
  }
}

TEST_F(GeminiTest, AnEnumAnswerIsOneOfItsValues) {
  const TestReply reply = Generate(
      R"({"contents":"x","generationConfig":{"responseMimeType":"text/x.enum",
        "responseSchema":{"type":"STRING","enum":["red wine","blue"]}}})");
  const Json text = At(reply.json(), "candidates.0.content.parts.0.text");
  EXPECT_TRUE(text == Json("red wine") || text == Json("blue")) << reply.body;
}

TEST_F(GeminiTest, StreamedTurnsComeBackAsOneMessage) {
  // What chat helpers send after a stream: one content a chunk.
  const auto count = [&](const std::string& contents) {
    const TestReply reply = Call(Post("/v1beta/models/tiny:countTokens",
                                      R"({"contents":)" + contents + "}"));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return At(reply.json(), "totalTokens");
  };
  EXPECT_EQ(count(R"([{"parts":[{"text":"q"}],"role":"user"},
      {"role":"model","parts":[{"text":"one "}]},
      {"role":"model","parts":[{"text":"t","thought":true}]},
      {"role":"model","parts":[{"text":"two"}]},
      {"role":"model","parts":[{"text":""}]},
      {"parts":[{"text":"r"}]}])"),
            count(R"([{"parts":[{"text":"q"}],"role":"user"},
      {"role":"model","parts":[{"text":"one two"}]},
      {"parts":[{"text":"r"}]}])"));
}

TEST_F(GeminiTest, CandidatesAreNumberedAndDiffer) {
  const TestReply reply = Generate(
      R"({"contents":"x","generationConfig":{"candidateCount":2,"seed":1,
        "maxOutputTokens":12}})");
  const Json json = reply.json();
  ASSERT_EQ(At(json, "candidates").as_array().size(), 2u);
  EXPECT_EQ(At(json, "candidates.1.index"), Json(1));
  EXPECT_NE(At(json, "candidates.0.content.parts.0.text"),
            At(json, "candidates.1.content.parts.0.text"));
  EXPECT_GT(At(json, "usageMetadata.candidatesTokenCount").as_int(), 12);
}

TEST_F(GeminiTest, LogprobsNameChosenAndTopTokens) {
  const TestReply reply = Generate(
      R"({"contents":"x","generationConfig":{"seed":1,"maxOutputTokens":4,
        "responseLogprobs":true,"logprobs":2}})");
  const Json result = At(reply.json(), "candidates.0.logprobsResult");
  ASSERT_TRUE(result.is_object()) << reply.body;
  const size_t tokens = At(result, "chosenCandidates").as_array().size();
  EXPECT_GE(tokens, 1u);
  EXPECT_EQ(At(result, "topCandidates").as_array().size(), tokens);
  EXPECT_EQ(At(result, "topCandidates.0.candidates").as_array().size(), 2u);
  EXPECT_LE(At(result, "chosenCandidates.0.logProbability").as_double(), 0.0);
}

TEST_F(GeminiTest, ThoughtsAreShownOnlyWhenAskedFor) {
  // Behind a result with thinking on, the prompt opens the thought.
  const std::string body =
      R"({"contents":[{"role":"user","parts":[{"text":"x"}]},
        {"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"f",
          "response":{"output":"ok"}}}]}],
       "tools":[{"functionDeclarations":[{"name":"f"}]}],
       "generationConfig":{"seed":1,"maxOutputTokens":60,
        "thinkingConfig":{"thinkingBudget":5,"include_thoughts":)";
  const Json shown = Generate(body + "true}}}").json();
  EXPECT_EQ(At(shown, "candidates.0.content.parts.0.thought"), Json(true));
  EXPECT_GT(At(shown, "usageMetadata.thoughtsTokenCount").as_int(), 0);
  const Json hidden = Generate(body + "false}}}").json();
  EXPECT_TRUE(At(hidden, "candidates.0.content.parts.0.thought").is_null());
  EXPECT_GT(At(hidden, "usageMetadata.thoughtsTokenCount").as_int(), 0);
}

TEST_F(GeminiTest, CountTokensTakesBothFormsAndAgreesWithUsage) {
  const Json usage = At(Generate(kHello).json(), "usageMetadata");
  const char* kPlain = R"({"contents":[{"parts":[{"text":"hello"}]}]})";
  const std::string wrapped =
      std::string(R"({"generateContentRequest":)") + kPlain + "}";
  for (const std::string& body : {std::string(kPlain), wrapped}) {
    const Json json =
        Call(Post("/v1beta/models/tiny:countTokens", body)).json();
    EXPECT_EQ(At(json, "totalTokens"), At(usage, "promptTokenCount"));
  }
}

TEST_F(GeminiTest, ModelsAreListedAndFound) {
  const Json list = Call(Get("/v1beta/models", "pageSize=5")).json();
  EXPECT_EQ(At(list, "models.0.name"), Json("models/tiny"));
  EXPECT_EQ(At(list, "models.0.inputTokenLimit"), Json(8192));
  const Json one = Call(Get("/v1beta/models/org/tiny:4")).json();
  EXPECT_EQ(At(one, "name"), Json("models/tiny"));
  EXPECT_EQ(Call(Get("/v1beta/models/none")).status, 404);
}

TEST_F(GeminiTest, ModelListsOfV1AreGeminisOnlyForGoogleClients) {
  TestReply reply;
  HttpRequest request = Get("/v1/models");
  EXPECT_FALSE(HandleGemini(&context_, request, &reply));
  request.headers.emplace_back("x-goog-api-key", "k");
  EXPECT_TRUE(HandleGemini(&context_, request, &reply));
  EXPECT_EQ(At(reply.json(), "models.0.name"), Json("models/tiny"));
  EXPECT_FALSE(
      HandleGemini(&context_, Post("/v1/chat/completions", "{}"), &reply));
}

TEST_F(GeminiTest, ErrorsCarryCodeAndStatusAndNameThePlace) {
  const TestReply unknown =
      Call(Post("/v1beta/models/nope:generateContent", kHello));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(At(unknown.json(), "error.code"), Json(404));
  EXPECT_EQ(At(unknown.json(), "error.status"), Json("NOT_FOUND"));
  const std::pair<const char*, const char*> kCases[] = {
      {"", "no body"},
      {"[]", "JSON object"},
      {"{", "body"},
      {"{}", "'contents'"},
      {R"({"contents":3})", "'contents'"},
      {R"({"contents":[{"role":"x","parts":[]}]})", "contents[0].role"},
      {R"({"contents":[{"parts":[{"text":1}]}]})", "contents[0].parts[0].text"},
      {R"({"contents":[{"parts":[{"text":"a"},{"inlineData":
        {"mimeType":"image/png","data":"aGk="}}]}]})",
       "contents[0].parts[1]"},
      {R"({"contents":[{"parts":[{"inlineData":
        {"mimeType":"text/plain","data":"?"}}]}]})",
       "base64"},
      {R"({"contents":[{"parts":[{"fileData":{"fileUri":"files/x"}}]}]})",
       "fileData"},
      {R"({"contents":"x","tools":[{"googleSearch":{}}]})", "googleSearch"},
      {R"({"contents":"x","tools":[{"functionDeclarations":[{}]}]})",
       "functionDeclarations[0].name"},
      {R"({"contents":"x","toolConfig":{"functionCallingConfig":
        {"mode":"MAYBE"}}})",
       "mode"},
      {R"({"contents":"x","generationConfig":{"topK":1.5}})", "topK"},
      {R"({"contents":"x","generationConfig":{"logprobs":3}})", "logprobs"},
      {R"({"contents":"x","generationConfig":{"candidateCount":99}})",
       "candidateCount"},
      {R"({"contents":"x","generationConfig":{"temperature":-1}})",
       "temperature"},
      {R"({"contents":"x","generationConfig":{"responseMimeType":
        "application/json","responseSchema":{"type":"DATE"}}})",
       "responseSchema.type"},
      {R"({"contents":"x","generationConfig":{"responseModalities":
        ["AUDIO"]}})",
       "responseModalities"},
      {R"({"contents":[{"parts":[{"functionResponse":{"name":"f",
        "response":{}}}]}]})",
       "answers no call"}};
  for (const auto& [body, part] : kCases) {
    const TestReply reply = Generate(body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(At(reply.json(), "error.status"), Json("INVALID_ARGUMENT"));
    EXPECT_NE(ErrorOf(reply).find(part), std::string::npos) << body << "\n"
                                                            << ErrorOf(reply);
  }
}

TEST_F(GeminiTest, EmbeddingsAreRefusedByName) {
  const TestReply reply =
      Call(Post("/v1beta/models/tiny:batchEmbedContents", "{}"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(ErrorOf(reply).find("embeddings"), std::string::npos);
}

TEST_F(GeminiTest, AClientThatGoesAwayEndsTheAnswer) {
  TestReply reply;
  reply.gone_after = 1;
  HttpRequest request = Post("/v1beta/models/tiny:streamGenerateContent",
                             R"({"contents":"x","generationConfig":{
                                 "responseMimeType":"application/json",
                                 "responseSchema":{"type":"STRING",
                                                   "minLength":3000}}})");
  request.query = "alt=sse";
  EXPECT_TRUE(HandleGemini(&context_, request, &reply));
  // Too long an answer to end before anybody looks whether the client is there.
  EXPECT_EQ(reply.body.find("finishReason"), std::string::npos);
}

}  // namespace
}  // namespace carat
