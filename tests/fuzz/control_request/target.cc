// Target functions: control::parse_request, what every datagram on control's socket goes through.
// Trust level: any local user. Property: any bytes end in an object with a short "op", or in a
// refusal; nothing is thrown and nothing recurses without bound.
#include <cstddef>
#include <cstdint>

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
  return 0;
}
