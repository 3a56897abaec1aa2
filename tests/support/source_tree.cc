#include "tests/support/source_tree.h"

namespace sallyport {

// The only object that differs from clone to clone: a compiler cache serves all others.
std::string source_path(const std::string& relative) {
  return std::string(SALLYPORT_SOURCE_DIR) + "/" + relative;
}

}  // namespace sallyport
