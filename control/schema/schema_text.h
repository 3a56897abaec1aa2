// gateway.ovsschema as it was when this program was built: what a new database is made from.
#pragma once

#include <string_view>

namespace sallyport::control {

std::string_view schema_text();

}  // namespace sallyport::control
