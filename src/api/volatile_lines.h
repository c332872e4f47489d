// Lines that programs put into the system prompt for their own service and
// that change with every request. They mean nothing to a model, and because
// they stand at the prompt's front nothing behind them would be found in the
// prompt cache. Only lines known to be of this kind are taken out: a date, a
// folder or a version is something a model may be asked about.
#ifndef CARAT_API_VOLATILE_LINES_H_
#define CARAT_API_VOLATILE_LINES_H_

#include <string>
#include <vector>

#include "carat/message.h"

namespace carat {

// `text` of a system prompt without such lines.
std::string WithoutVolatileLines(std::string text);

// The same for all messages with the program's own instructions; one that
// holds nothing else goes.
void DropVolatileLines(std::vector<Message>* messages);

}  // namespace carat

#endif  // CARAT_API_VOLATILE_LINES_H_
