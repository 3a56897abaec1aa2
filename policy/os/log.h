// Log lines to standard error, one event a line, as a journal wants them: "dataplane: info: text"
// with the level in front when standard error is not a terminal. Any thread; never on the packet
// path.
#pragma once

#include <string_view>

namespace sallyport::os::log {

// The program's short name in each line. Call once, before threads start.
void open(std::string_view program);
void debug(std::string_view text);
void info(std::string_view text);
void warning(std::string_view text);
void error(std::string_view text);

}  // namespace sallyport::os::log
