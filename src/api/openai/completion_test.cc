// /v1/completions, /v1/models and what is refused, over a real engine.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

class OpenAiCompletionTest : public testing::Test {
 protected:
  TestReply Send(const std::string& body) {
    TestReply reply;
    api_.Handle(Post("/v1/completions", body), &reply);
    return reply;
  }
  TestReply Fetch(const std::string& path) {
    TestReply reply;
    api_.Handle(Get(path), &reply);
    return reply;
  }

  TestHost host_;
  Api api_{&host_, ApiOptions{}};
};

TEST_F(OpenAiCompletionTest, TextIsContinuedAndSixteenTokensAreTheDefault) {
  const Json body = Send(R"({"prompt":"the an","seed":1})").json();
  EXPECT_EQ(At(body, "object"), Json("text_completion"));
  EXPECT_EQ(At(body, "id").as_string().substr(0, 5), "cmpl-");
  EXPECT_TRUE(At(body, "choices.0.text").is_string());
  EXPECT_LE(At(body, "usage.completion_tokens").as_int(), 16);
}

TEST_F(OpenAiCompletionTest, TokensContinueAsTheTextTheySpell) {
  const Tokenizer& tokenizer = host_.engine()->tokenizer();
  Json ids = Json::MakeArray();
  ids.Append(tokenizer.bos());
  for (const TokenId id : tokenizer.Encode("the an")) ids.Append(id);
  const Json text = Send(R"({"prompt":"the an","seed":1})").json();
  const Json tokens =
      Send(R"({"prompt":)" + ids.Dump() + R"(,"seed":1})").json();
  EXPECT_EQ(At(tokens, "choices.0.text"), At(text, "choices.0.text"));
}

TEST_F(OpenAiCompletionTest, EveryPromptHasItsAnswersInOrder) {
  const Json body =
      Send(R"({"prompt":["the","an"],"n":2,"seed":1,"echo":true})").json();
  const Json choices = At(body, "choices");
  ASSERT_EQ(choices.as_array().size(), 4u);
  EXPECT_EQ(At(choices, "1.text").as_string().substr(0, 3), "the");
  EXPECT_EQ(At(choices, "2.text").as_string().substr(0, 2), "an");
  EXPECT_EQ(At(choices, "3.index"), Json(3));
}

TEST_F(OpenAiCompletionTest, LogprobsComeAsParallelArrays) {
  const Json body =
      Send(R"({"prompt":"the","seed":1,"logprobs":2,"max_tokens":8})").json();
  const Json logprobs = At(body, "choices.0.logprobs");
  const size_t count = At(logprobs, "tokens").as_array().size();
  EXPECT_GT(count, 0u);
  EXPECT_EQ(At(logprobs, "token_logprobs").as_array().size(), count);
  EXPECT_EQ(At(logprobs, "top_logprobs").as_array().size(), count);
  EXPECT_EQ(At(logprobs, "text_offset.0"), Json(0));
}

TEST_F(OpenAiCompletionTest, AStreamSpellsTheSameText) {
  const Json whole = Send(R"({"prompt":"the","seed":1})").json();
  const TestReply reply = Send(R"({"prompt":"the","seed":1,"stream":true})");
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  std::string text;
  size_t at = 0;
  while (at < reply.body.size()) {
    const size_t end = reply.body.find("\n\n", at);
    ASSERT_NE(end, std::string::npos);
    const std::string event = reply.body.substr(at, end - at);
    at = end + 2;
    if (event == "data: [DONE]") break;
    text += At(*Json::Parse(event.substr(6)), "choices.0.text").as_string();
  }
  EXPECT_EQ(Json(text), At(whole, "choices.0.text"));
}

TEST_F(OpenAiCompletionTest, MalformedPromptsAndCountsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "'prompt'"},
      {R"({"prompt":""})", "'prompt' is empty"},
      {R"({"prompt":[]})", "'prompt' is empty"},
      {R"({"prompt":[1,"a"]})", "'prompt[1]'"},
      {R"({"prompt":["a",7]})", "'prompt[1]'"},
      {R"({"prompt":[-1]})", "'prompt[0]'"},
      {R"({"prompt":[99999]})", "outside the vocabulary"},
      {R"({"prompt":[99999],"echo":true})", "outside the vocabulary"},
      {R"({"prompt":"a","n":99})", "'n' times"},
      {R"({"prompt":"a","best_of":4})", "'best_of'"},
      {R"({"prompt":"a","suffix":"b"})", "'suffix'"},
      {R"({"prompt":"a","logprobs":true})", "'logprobs'"},
      {R"({"prompt":"a","logprobs":99})", "'logprobs'"},
      {R"({"prompt":"a","logprobs":1,"echo":true})", "'echo'"},
  };
  for (const auto& [body, part] : cases) {
    const TestReply reply = Send(body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    const std::string message = At(reply.json(), "error.message").as_string();
    EXPECT_NE(message.find(part), std::string::npos)
        << body << "\n  gave: " << message;
  }
}

TEST_F(OpenAiCompletionTest, TheModelListServesThreeFamiliesOfClients) {
  const Json body = Fetch("/v1/models").json();
  EXPECT_EQ(At(body, "object"), Json("list"));
  EXPECT_EQ(At(body, "data.0.id"), Json("tiny"));
  EXPECT_EQ(At(body, "data.0.object"), Json("model"));
  EXPECT_EQ(At(body, "data.0.type"), Json("model"));
  EXPECT_EQ(At(body, "data.0.created_at"), Json("2023-11-14T22:13:20Z"));
  EXPECT_EQ(At(body, "has_more"), Json(false));
  EXPECT_EQ(At(body, "first_id"), Json("tiny"));
  EXPECT_EQ(At(body, "models.0.name"), Json("models/tiny"));
  for (const char* key : {"context_length", "max_model_len",
                          "max_context_length", "meta.n_ctx"}) {
    EXPECT_EQ(At(body, std::string("data.0.") + key), Json(8192)) << key;
  }
}

TEST_F(OpenAiCompletionTest, AModelIsFoundByItsEncodedName) {
  EXPECT_EQ(At(Fetch("/v1/models/tiny").json(), "id"), Json("tiny"));
  EXPECT_EQ(Fetch("/v1/models/org%2Ftiny:4").status, 200);
  EXPECT_EQ(Fetch("/v1/models/org/tiny:4").status, 200);
  const TestReply missing = Fetch("/v1/models/no");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(At(missing.json(), "error.type"), Json("not_found_error"));
}

TEST_F(OpenAiCompletionTest, EmbeddingsAndAudioAreRefusedClearly) {
  for (const char* path : {"/v1/embeddings", "/v1/audio/transcriptions"}) {
    TestReply reply;
    api_.Handle(Post(path, "{}"), &reply);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(At(reply.json(), "error.code"), Json("unsupported"));
  }
}

TEST_F(OpenAiCompletionTest, ChatTokensAreCounted) {
  TestReply reply;
  api_.Handle(Post("/v1/chat/completions/input_tokens",
                   R"({"messages":[{"role":"user","content":"hi"}]})"),
              &reply);
  EXPECT_EQ(reply.status, 200);
  EXPECT_GT(At(reply.json(), "input_tokens").as_int(), 2);
}

}  // namespace
}  // namespace carat
