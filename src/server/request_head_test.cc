#include "server/request_head.h"

#include <gtest/gtest.h>

#include "server/chunk_decoder.h"

namespace carat {
namespace {

// The status of the refusal, 0 when the head is good.
int Parse(const std::string& bytes, RequestHead* head) {
  const auto problem = ParseHead(bytes, head);
  return problem ? problem->status : 0;
}

int Refusal(const std::string& fields,
            const std::string& line = "POST / HTTP/1.1") {
  RequestHead head;
  return Parse(line + "\r\n" + fields + "\r\n", &head);
}

TEST(RequestHead, TakesARequestApart) {
  RequestHead head;
  ASSERT_EQ(Parse("POST /v1/x?key=a%20b HTTP/1.1\r\nHost: h:1\r\n"
                  "Content-Length:  12 \r\nX-A:\t b c\t\r\n\r\n",
                  &head),
            0);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/x");
  EXPECT_EQ(head.query, "key=a%20b");
  EXPECT_EQ(head.host, "h:1");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_EQ(*head.Header("x-a"), "b c");
  EXPECT_TRUE(head.keep_alive);
}

TEST(RequestHead, AbsoluteTargetsNameTheHost) {
  RequestHead head;
  ASSERT_EQ(
      Parse("GET http://evil.example/a HTTP/1.1\r\nHost: x\r\n\r\n", &head), 0);
  EXPECT_EQ(head.host, "evil.example");
  EXPECT_EQ(head.path, "/a");
}

TEST(RequestHead, RefusesTwoWaysOfSayingTheLength) {
  EXPECT_EQ(Refusal("Host: a\r\nContent-Length: 3\r\n"
                    "Transfer-Encoding: chunked\r\n"),
            400);
  EXPECT_EQ(Refusal("Host: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n"),
            400);
  EXPECT_EQ(Refusal("Host: a\r\nTransfer-Encoding: chunked\r\n"
                    "Transfer-Encoding: chunked\r\n"),
            501);
  EXPECT_EQ(Refusal("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"), 501);
  EXPECT_EQ(Refusal("Host: a\r\nTransfer-Encoding: xchunked\r\n"), 501);
  EXPECT_EQ(Refusal("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), 400);
}

TEST(RequestHead, RefusesLengthsThatAreNoNumbers) {
  for (const char* value : {"", "+3", "-1", "0x10", "3, 3", "3 3", "1e3"}) {
    EXPECT_EQ(
        Refusal(std::string("Host: a\r\nContent-Length: ") + value + "\r\n"),
        400)
        << value;
  }
  EXPECT_EQ(Refusal("Host: a\r\nContent-Length: 99999999999999999999\r\n"),
            413);
}

TEST(RequestHead, RefusesFoldedAndBrokenLines) {
  EXPECT_EQ(Refusal("Host: a\r\nX-A: b\r\n c\r\n"), 400);
  EXPECT_EQ(Refusal(" Host: a\r\n"), 400);
  EXPECT_EQ(Refusal("Host : a\r\n"), 400);
  EXPECT_EQ(Refusal("Host: a\r\nno colon\r\n"), 400);
  EXPECT_EQ(Refusal("Host: a\r\nX: a\nY: b\r\n"), 400);
  EXPECT_EQ(Refusal("Host: a\r\nX: a\rY: b\r\n"), 400);
  EXPECT_EQ(Refusal(std::string("Host: a\r\nX: a\0b\r\n", 18)), 400);
  EXPECT_EQ(Refusal("Host: a\r\nX: \x01\r\n"), 400);
}

TEST(RequestHead, WantsExactlyOneHost) {
  EXPECT_EQ(Refusal(""), 400);
  EXPECT_EQ(Refusal("Host: a\r\nHost: b\r\n"), 400);
  EXPECT_EQ(Refusal("", "GET / HTTP/1.0"), 0);
}

TEST(RequestHead, RefusesBadRequestLines) {
  for (const char* line :
       {"GET /", "GET  / HTTP/1.1", " / HTTP/1.1", "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1", "GET a HTTP/1.1", "G(T / HTTP/1.1",
        "GET /\x80 HTTP/1.1", "GET /#x HTTP/1.1", "GET / FTP/1.1"}) {
    EXPECT_EQ(Refusal("Host: a\r\n", line), 400) << line;
  }
  EXPECT_EQ(Refusal("Host: a\r\n", "PRI * HTTP/2.0"), 505);
}

TEST(RequestHead, LimitsTheNumberOfHeaders) {
  std::string fields = "Host: a\r\n";
  for (size_t i = 0; i < kMaxHeaderFields; ++i) fields += "X: y\r\n";
  EXPECT_EQ(Refusal(fields), 431);
}

TEST(HeadFinder, FindsTheEndHoweverTheBytesCome) {
  const std::string bytes = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  HeadFinder finder;
  for (size_t n = 1; n < bytes.size() - 4; ++n) {
    ASSERT_EQ(finder.Look(std::string_view(bytes).substr(0, n)),
              HeadFinder::State::kMore)
        << n;
  }
  EXPECT_EQ(finder.Look(bytes), HeadFinder::State::kFound);
  EXPECT_EQ(finder.end(), bytes.size() - 4);
}

TEST(HeadFinder, NoticesBareLineFeedsAtOnce) {
  HeadFinder finder;
  EXPECT_EQ(finder.Look("GET / HTTP/1.1\n"), HeadFinder::State::kBad);
}

TEST(ChunkDecoder, DecodesByteByByteAndLeavesTheNextRequest) {
  const std::string bytes =
      "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET";
  ChunkDecoder decoder(100);
  std::string body;
  size_t at = 0, used = 0;
  auto state = ChunkDecoder::State::kMore;
  while (state == ChunkDecoder::State::kMore && at < bytes.size()) {
    state = decoder.Feed(std::string_view(bytes).substr(at, 1), &body, &used);
    at += used;
  }
  EXPECT_EQ(state, ChunkDecoder::State::kDone);
  EXPECT_EQ(body, "abc0123456789");
  EXPECT_EQ(bytes.substr(at), "GET");
}

TEST(ChunkDecoder, RefusesWhatIsNoChunk) {
  for (const char* bytes :
       {"\r\n", "x\r\n", "-1\r\n", "0x3\r\nabc", "3 \r\nabc\r\n", "3\nabc\r\n",
        "3\r\nabcd\r\n", "3\r\nabc\n0\r\n", "3;a\x01\r\n"}) {
    ChunkDecoder decoder(100);
    std::string body;
    size_t used = 0;
    EXPECT_EQ(decoder.Feed(bytes, &body, &used), ChunkDecoder::State::kBad)
        << bytes;
  }
}

TEST(ChunkDecoder, RefusesSizesBeyondTheLimit) {
  for (const char* bytes : {"65\r\n", "ffffffffffffffff\r\n",
                            "FFFFFFFFFFFFFFFFF\r\n", "3\r\nabc\r\n62\r\n"}) {
    ChunkDecoder decoder(100);
    std::string body;
    size_t used = 0;
    EXPECT_EQ(decoder.Feed(bytes, &body, &used), ChunkDecoder::State::kTooLarge)
        << bytes;
  }
}

}  // namespace
}  // namespace carat
