// Target: dataplane::parse_dns_answer, parse_dns_question. Trust: untrusted (bytes from the
// network). Property: never crashes, never reads outside the message, and whatever it keeps is a
// bounded answer with unmapped addresses.
#include <cstddef>
#include <cstdint>

#include "dataplane/names/dns_answer.h"
#include "policy/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto asked = sallyport::dataplane::parse_dns_question({data, size}))
    SALLYPORT_CHECK(asked->name.text().size() <= sallyport::dataplane::kMaxDnsName);
  const auto answer = sallyport::dataplane::parse_dns_answer({data, size});
  if (!answer) return 0;
  SALLYPORT_CHECK(answer->addresses().size() <= sallyport::dataplane::kMaxDnsAddresses);
  SALLYPORT_CHECK(answer->question().text().size() <= sallyport::dataplane::kMaxDnsName);
  return 0;
}
