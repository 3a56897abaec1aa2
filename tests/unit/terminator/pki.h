// Certificates for tests, made once per test process by tests/system/pki.sh into a folder of its
// own that is removed at exit.
#pragma once

#include <string>
#include <vector>

#include "policy/base/bytes.h"

namespace sallyport::terminator::testing {

// The folder; aborts if the script fails.
const std::string& pki_folder();
// A file of it ("gw.crt"), kept for the whole process.
ConstBytes pki(const std::string& file);

}  // namespace sallyport::terminator::testing
