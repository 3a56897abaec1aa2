// Target functions: control::parse_request, what every datagram on control's socket goes through,
// and the readers of a request's arguments. Trust level: any local user. Property: any bytes end in
// an object with a short "op" and bounded arguments, or in a refusal; nothing is thrown and nothing
// recurses without bound.
#include <cstddef>
#include <cstdint>

#include "control/app/arguments.h"
#include "control/app/request.h"
#include "policy/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = sallyport::control::parse_request({data, size});
  if (!request) {
    SALLYPORT_CHECK(!request.error().context.empty());
    return 0;
  }
  SALLYPORT_CHECK(request->is_object());
  SALLYPORT_CHECK((*request)["op"].is_string());
  SALLYPORT_CHECK((*request)["op"].get_ref<const std::string&>().size() <= 32);
  using namespace sallyport::control;
  for (const char* key : {"op", "comment", "number", "confirm_within", "yes", "arguments"}) {
    SALLYPORT_CHECK(text_of(*request, key).empty() || request->contains(key));
    SALLYPORT_CHECK(number_of(*request, key, 0) == 0 || request->contains(key));
    SALLYPORT_CHECK(!flag_of(*request, key) || request->contains(key));
  }
  SALLYPORT_CHECK(arguments_of(*request).size() <= 64);
  return 0;
}
