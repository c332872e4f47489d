// /v1/completions, /v1/models and what is refused, over a real engine.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

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

// The prompt's log-probabilities as the engine itself evaluates it.
std::vector<double> Reference(Engine* engine, const std::vector<TokenId>& ids) {
  std::vector<double> out;
  const Status status = engine->EvaluateLogits(
      ids, 0, [&](int64_t position, std::span<const float> logits) {
        if (position + 1 == static_cast<int64_t>(ids.size())) return false;
        double sum = 0;
        for (const float x : logits) sum += std::exp(static_cast<double>(x));
        out.push_back(static_cast<double>(logits[ids[position + 1]]) -
                      std::log(sum));
        return true;
      });
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

class EchoedLogprobs : public OpenAiCompletionTest {
 protected:
  EchoedLogprobs() {
    for (int i = 0; i < 12; ++i) prompt_ += "the an \xC3\xA9 ";
    const Tokenizer& tokenizer = host_.engine()->tokenizer();
    ids_ = {tokenizer.bos()};
    for (const TokenId id : tokenizer.Encode(prompt_)) ids_.push_back(id);
    expected_ = Reference(host_.engine().get(), ids_);
    // More than one step's worth of scored rows.
    EXPECT_GT(ids_.size(), 40u);
  }
  Json Ids() const {
    Json out = Json::MakeArray();
    for (const TokenId id : ids_) out.Append(id);
    return out;
  }
  // `logprobs` holds the prompt from its `first` token on, and `more` tokens.
  void ExpectPrompt(const Json& logprobs, size_t first, size_t more) {
    const Json values = At(logprobs, "token_logprobs");
    ASSERT_EQ(values.as_array().size(), ids_.size() - first + more);
    for (size_t i = first; i < ids_.size(); ++i) {
      const Json& value = values.as_array()[i - first];
      if (i == 0) {
        EXPECT_TRUE(value.is_null());
      } else {
        EXPECT_NEAR(value.as_double(), expected_[i - 1], 1e-4) << i;
      }
    }
    const Json tops = At(logprobs, "top_logprobs");
    EXPECT_EQ(tops.as_array()[0].is_null(), first == 0);
    EXPECT_EQ(tops.as_array()[1].as_object().size(), 2u);
  }

  std::string prompt_;
  std::vector<TokenId> ids_;
  std::vector<double> expected_;
};

TEST_F(EchoedLogprobs, AreThoseOfTheModelForTextAndForTokens) {
  const Json text =
      Send(R"({"prompt":")" + prompt_ +
           R"(","echo":true,"logprobs":2,"max_tokens":3,"seed":1})")
          .json();
  const size_t answer =
      static_cast<size_t>(At(text, "usage.completion_tokens").as_int());
  // BOS is no part of what is given back.
  ExpectPrompt(At(text, "choices.0.logprobs"), 1, answer);
  EXPECT_TRUE(At(text, "choices.0.text").as_string().starts_with(prompt_));
  const Json tokens =
      Send(R"({"prompt":)" + Ids().Dump() +
           R"(,"echo":true,"logprobs":2,"max_tokens":3,"seed":1})")
          .json();
  ExpectPrompt(At(tokens, "choices.0.logprobs"), 0, answer);
  EXPECT_EQ(At(tokens, "choices.0.text"), At(text, "choices.0.text"));
}

TEST_F(EchoedLogprobs, OffsetsCountCharacters) {
  const Json body = Send(R"({"prompt":")" + prompt_ +
                         R"(","echo":true,"logprobs":0,"max_tokens":1})")
                        .json();
  const Json offsets = At(body, "choices.0.logprobs.text_offset");
  EXPECT_EQ(offsets.as_array()[0], Json(0));
  // Each \u00e9 has two bytes and is one character.
  EXPECT_EQ(offsets.as_array()[ids_.size() - 1],
            Json(static_cast<int64_t>(prompt_.size() - 12)));
}

TEST_F(EchoedLogprobs, ScoreWithoutGenerating) {
  const Json body = Send(R"({"prompt":)" + Ids().Dump() +
                         R"(,"echo":true,"logprobs":2,"max_tokens":0})")
                        .json();
  ExpectPrompt(At(body, "choices.0.logprobs"), 0, 0);
  EXPECT_EQ(At(body, "usage.completion_tokens"), Json(0));
  EXPECT_EQ(At(body, "choices.0.finish_reason"), Json("length"));
  EXPECT_EQ(At(body, "choices.0.text"), Json(prompt_));
}

TEST_F(EchoedLogprobs, AreTheSameForEveryChoiceAndWhateverIsCached) {
  for (int round = 0; round < 2; ++round) {
    const Json body =
        Send(R"({"prompt":[)" + Ids().Dump() + "," + Ids().Dump() +
             R"(],"n":3,"echo":true,"logprobs":2,"max_tokens":0})")
            .json();
    ASSERT_EQ(At(body, "choices").as_array().size(), 6u);
    const Json choices = At(body, "choices");
    for (const Json& choice : choices.as_array()) {
      ExpectPrompt(At(choice, "logprobs"), 0, 0);
    }
    EXPECT_EQ(At(body, "usage.prompt_tokens_details.cached_tokens"), Json(0));
  }
}

TEST_F(EchoedLogprobs, StreamsBeginWithThem) {
  const TestReply reply =
      Send(R"({"prompt":")" + prompt_ +
           R"(","echo":true,"logprobs":2,"max_tokens":2,"stream":true})");
  ASSERT_TRUE(reply.body.starts_with("data: "));
  const Json first =
      *Json::Parse(reply.body.substr(6, reply.body.find("\n\n") - 6));
  EXPECT_EQ(At(first, "choices.0.text"), Json(prompt_));
  ExpectPrompt(At(first, "choices.0.logprobs"), 1, 0);
  const size_t next = reply.body.find("data: ", 6);
  const Json second = *Json::Parse(
      reply.body.substr(next + 6, reply.body.find("\n\n", next) - next - 6));
  const Json offset = At(second, "choices.0.logprobs.text_offset.0");
  if (!offset.is_null()) {
    EXPECT_EQ(offset, Json(static_cast<int64_t>(prompt_.size() - 12)));
  }
}

TEST_F(EchoedLogprobs, MoreThanAnAnswerHoldsIsRefused) {
  Json many = Json::MakeArray();
  Json prompt = Json::MakeArray();
  for (int i = 0; i < 3000; ++i) prompt.Append(5 + i % 50);
  for (int i = 0; i < 5; ++i) many.Append(prompt);
  const TestReply reply = Send(R"({"prompt":)" + many.Dump() +
                               R"(,"echo":true,"logprobs":20,"max_tokens":0})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("'echo' with 'logprobs'"), std::string::npos);
}

TEST_F(OpenAiCompletionTest, EchoAloneComesBeforeTheAnswer) {
  const Json alone =
      Send(R"({"prompt":"the an","seed":1,"max_tokens":0,"echo":true})").json();
  EXPECT_EQ(At(alone, "choices.0.text"), Json("the an"));
  EXPECT_TRUE(At(alone, "choices.0.logprobs").is_null());
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
