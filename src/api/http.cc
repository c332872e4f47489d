#include "api/http.h"

namespace carat {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

const std::string* HttpRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::optional<std::string> HttpRequest::Query(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    std::string pair(rest.substr(0, end));
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    for (char& c : pair) {
      if (c == '+') c = ' ';
    }
    const size_t equals = pair.find('=');
    if (PercentDecode(pair.substr(0, equals)) != name) continue;
    if (equals == std::string::npos) return std::string();
    return PercentDecode(std::string_view(pair).substr(equals + 1));
  }
  return std::nullopt;
}

void SendBody(HttpReply* reply, int status, std::string_view content_type,
              std::string_view body, HttpHeaders more) {
  if (reply->started()) {
    reply->Write(body);
    return;
  }
  more.emplace_back("content-type", content_type);
  more.emplace_back("content-length", std::to_string(body.size()));
  reply->Start(status, more);
  if (!body.empty()) reply->Write(body);
}

}  // namespace carat
