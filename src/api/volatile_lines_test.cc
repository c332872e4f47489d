#include "api/volatile_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

constexpr const char* kHeader =
    "x-anthropic-billing-header: cc_version=2.1.117.48f; cc_entrypoint=cli; "
    "cch=71fea;";

TEST(VolatileLines, TheBillingLineGoesAndTheRestStays) {
  const std::string header = kHeader;
  const std::pair<std::string, std::string> cases[] = {
      {header, ""},
      {header + "\n", ""},
      {header + "\nYou help.", "You help."},
      {header + "\r\nYou help.", "You help."},
      {header + "You help.", "You help."},  // blocks joined by a proxy
      {header + " You help.\nMore.", "You help.\nMore."},
      {"You help.\n" + header + "\nMore.", "You help.\nMore."},
      {"x-anthropic-billing-header: cch=1\nYou help.", "You help."},
      {header + "\n" + header + "\nYou help.", "You help."},
  };
  for (const auto& [given, expected] : cases) {
    EXPECT_EQ(WithoutVolatileLines(given), expected) << given;
  }
}

TEST(VolatileLines, WhatOnlyLooksLikeItStays) {
  for (const std::string& text :
       {std::string("Explain x-anthropic-billing-header: cch=1;"),
        std::string("x-anthropic-billing-header: is a header."),
        std::string("x-anthropic-billing-header:"),
        std::string("x-anthropic-billing-header: a=b is a pair"),
        std::string("Today is 2026-11-24.\nx-session: 1;\n"), std::string(),
        std::string("\n\n")}) {
    EXPECT_EQ(WithoutVolatileLines(text), text);
  }
}

TEST(VolatileLines, OnlyInstructionsAreSearched) {
  std::vector<Message> messages = {
      Message(Role::kSystem, kHeader), Message(Role::kDeveloper, "Be brief."),
      Message(Role::kUser, kHeader), Message(Role::kAssistant, kHeader)};
  const std::vector<Message> expected(messages.begin() + 1, messages.end());
  DropVolatileLines(&messages);
  EXPECT_EQ(messages, expected);
}

// A request of each protocol whose system prompt begins with `%`.
struct Case {
  const char* name;
  const char* path;
  const char* body;
  const char* cached;  // where the answer says what the cache gave
};

constexpr Case kCases[] = {
    {"Chat", "/v1/chat/completions",
     R"({"messages":[{"role":"system","content":"%You help. TEXT"},
         {"role":"user","content":"Hi"}],"max_tokens":1})",
     "usage.prompt_tokens_details.cached_tokens"},
    {"ResponsesInstructions", "/v1/responses",
     R"({"instructions":"%You help. TEXT","input":"Hi",
         "max_output_tokens":1})",
     "usage.input_tokens_details.cached_tokens"},
    {"ResponsesInput", "/v1/responses",
     R"({"input":[{"role":"system","content":"%You help. TEXT"},
         {"role":"user","content":"Hi"}],"max_output_tokens":1})",
     "usage.input_tokens_details.cached_tokens"},
    {"Messages", "/v1/messages",
     R"({"system":"%You help. TEXT","max_tokens":1,
         "messages":[{"role":"user","content":"Hi"}]})",
     "usage.cache_read_input_tokens"},
    {"MessagesBlocks", "/v1/messages",
     R"({"system":[{"type":"text","text":"%"},
                   {"type":"text","text":"You help. TEXT"}],"max_tokens":1,
         "messages":[{"role":"user","content":"Hi"}]})",
     "usage.cache_read_input_tokens"},
    {"Gemini", "/v1beta/models/tiny:generateContent",
     R"({"systemInstruction":{"parts":[{"text":"%You help. TEXT"}]},
         "contents":[{"parts":[{"text":"Hi"}]}],
         "generationConfig":{"maxOutputTokens":1}})",
     "usageMetadata.cachedContentTokenCount"},
};

class VolatileLine : public testing::TestWithParam<Case> {
 protected:
  Json Ask(const std::string& line) {
    std::string body = GetParam().body;
    body.replace(body.find('%'), 1, line);
    body.replace(body.find("TEXT"), 4, std::string(400, 'a'));
    TestReply reply;
    api_.Handle(Post(GetParam().path, std::move(body)), &reply);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json();
  }

  TestHost host_;
  Api api_{&host_, ApiOptions{}};
};

TEST_P(VolatileLine, DoesNotDefeatThePromptCache) {
  Ask("x-anthropic-billing-header: cc_version=2; cch=00001;\\n");
  const Json again =
      Ask("x-anthropic-billing-header: cc_version=2; cch=fffff;\\n");
  const Json cached = At(again, GetParam().cached);
  ASSERT_TRUE(cached.is_number()) << again.Dump();
  EXPECT_GT(cached.as_int(), 100);
}

INSTANTIATE_TEST_SUITE_P(Protocols, VolatileLine, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace carat
