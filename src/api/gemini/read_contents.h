// Gemini's contents to messages.
#ifndef CARAT_API_GEMINI_READ_CONTENTS_H_
#define CARAT_API_GEMINI_READ_CONTENTS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/model_traits.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/message.h"

namespace carat {

// Files that contents refer to by "fileData".
class FileSource {
 public:
  struct File {
    std::string mime_type;
    std::shared_ptr<const std::string> bytes;
  };
  virtual ~FileSource() = default;
  // `uri` is as the client wrote it: a full address or "files/ID". Errors:
  // kNotFound, kInvalidArgument (an address elsewhere).
  virtual Result<File> Open(std::string_view uri) = 0;
};

struct ContentsReader {
  const ModelTraits* traits = nullptr;
  FileSource* files = nullptr;  // null: references are refused

  // An array of contents, one content, or (leniently) a string. Neighbours of
  // one role become one message, empty texts go, results of functions become
  // tool messages behind the calls. `where` names the value in errors.
  Result<std::vector<Message>> Contents(const Json& contents,
                                        const std::string& where) const;
  // A system instruction: the texts of its parts, whatever its role says.
  Result<std::vector<Message>> System(const Json& content,
                                      const std::string& where) const;

 private:
  Status Content(const Json& content, const std::string& where,
                 std::vector<Message>* out) const;
  Status ReadPart(const Json& part, const std::string& where, Role role,
                  std::vector<Message>* out) const;
  Status AddMedia(const Json& part, const std::string& mime_type,
                  std::shared_ptr<const std::string> bytes,
                  const std::string& where, std::vector<Message>* out) const;
};

}  // namespace carat

#endif  // CARAT_API_GEMINI_READ_CONTENTS_H_
