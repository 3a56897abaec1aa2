// The library's own words for one of its codes: "-188: ASN no signer error to confirm failure".
#pragma once

#include <string>

namespace sallyport::terminator {

std::string library_text(int code);

}  // namespace sallyport::terminator
