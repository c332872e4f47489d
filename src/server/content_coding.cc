#include "server/content_coding.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
// 8 MiB, the window that standards let every decoder rely on.
constexpr int kMaxWindowLog = 23;

Status TooLarge(uint64_t max_bytes) {
  return ResourceExhausted(
      fmt::format("The decompressed body is larger than {} bytes.", max_bytes));
}

Result<std::string> Inflate(const std::string& body, uint64_t max_bytes) {
  z_stream stream = {};
  // 32: gzip or zlib, told apart by their heads.
  if (inflateInit2(&stream, 15 + 32) != Z_OK) {
    return ResourceExhausted("Memory for decompressing ran out.");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream,
                                                            inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, 0, piece.size() - stream.avail_out);
    if (out.size() > max_bytes) return TooLarge(max_bytes);
    if (code == Z_STREAM_END) break;
    if (code != Z_OK) return Malformed("The compressed body is damaged.");
  }
  if (stream.avail_in > 0) {
    return Malformed("Bytes follow the end of the compressed body.");
  }
  return out;
}

Result<std::string> Unzstd(const std::string& body, uint64_t max_bytes) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(
      ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (context == nullptr) {
    return ResourceExhausted("Memory for decompressing ran out.");
  }
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  ZSTD_inBuffer in = {body.data(), body.size(), 0};
  std::string out;
  std::string piece(kPieceBytes, '\0');
  size_t left = 1;  // 0: at the end of a frame
  bool full = false;
  while (in.pos < in.size || full) {
    ZSTD_outBuffer to = {piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) {
      return Malformed(fmt::format("The compressed body is damaged ({}).",
                                   ZSTD_getErrorName(left)));
    }
    out.append(piece, 0, to.pos);
    if (out.size() > max_bytes) return TooLarge(max_bytes);
    full = to.pos == to.size;
  }
  if (left != 0) return Malformed("The compressed body is cut off.");
  return out;
}

}  // namespace

Result<std::string> DecodeContent(std::string_view coding, std::string body,
                                  uint64_t max_bytes) {
  std::string name(coding);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name.empty() || name == "identity") return body;
  if (name == "gzip" || name == "x-gzip" || name == "deflate") {
    return Inflate(body, max_bytes);
  }
  if (name == "zstd") return Unzstd(body, max_bytes);
  return Unsupported(fmt::format(
      "Content-Encoding {} is not known here; gzip, deflate and zstd are.",
      QuoteForMessage(name)));
}

}  // namespace carat
