// Where the sources lie, for tests that read fixtures from the tree.
#pragma once

#include <string>

namespace sallyport {

// The absolute path of a file or folder given relative to the top level.
std::string source_path(const std::string& relative);

}  // namespace sallyport
