// Target: setup::check_record. Trust: untrusted (another process's bytes). Property: never crashes;
// what passes is exactly one record, for this sender, whose names are no paths and whose fields are
// in range. The first byte chooses the sender.
#include <cstddef>
#include <cstdint>

#include "control/setup/record.h"
#include "policy/base/check.h"

namespace {
using sallyport::setup::Clients;
using sallyport::wire::SetupOp;
constexpr Clients kClients = {1, 2};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const uid_t sender = data[0] % 4;
  const sallyport::ConstBytes record(data + 1, size - 1);
  const auto request = sallyport::setup::check_record(record, sender, kClients);
  if (!request) return 0;
  SALLYPORT_CHECK(record.size() == sizeof(sallyport::wire::SetupRequest));
  SALLYPORT_CHECK(sender == 1 || sender == 2);
  SALLYPORT_CHECK(kClients.may(sender, request->op));
  SALLYPORT_CHECK(request->op <= SetupOp::kMtuSet);
  SALLYPORT_CHECK(request->name.size() < 16);
  SALLYPORT_CHECK(request->name.find('/') == std::string::npos);
  SALLYPORT_CHECK(request->name.empty() || request->name[0] != '.');
  SALLYPORT_CHECK(request->prefix_length <= (request->address.is_v4() ? 32U : 128U));
  SALLYPORT_CHECK(!request->mac.is_group());
  return 0;
}
