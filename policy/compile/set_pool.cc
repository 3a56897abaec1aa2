#include "policy/compile/set_pool.h"

#include "policy/wire/digest.h"

namespace sallyport::compile {
namespace {

const AddressSet kNoAddresses;
const std::string kNoName;

std::string digest_of(const AddressSet& set) {
  std::string bytes = "addresses:";
  for (const AddressRange& range : set.ranges())
    for (const AddressNumber n : {range.first, range.last})
      for (int shift = 120; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift);
  return wire::to_hex(wire::sha256(bytes));
}

}  // namespace

SetId SetPool::intern(const AddressSet& addresses) {
  const auto [at, fresh] = by_addresses_.emplace(addresses, static_cast<SetId>(entries_.size()));
  if (fresh) entries_.push_back({&at->first, &kNoName, digest_of(addresses)});
  return at->second;
}

SetId SetPool::intern_name(const std::string& name) {
  const auto [at, fresh] = by_name_.emplace(name, static_cast<SetId>(entries_.size()));
  if (fresh)
    entries_.push_back({&kNoAddresses, &at->first, wire::to_hex(wire::sha256("name:" + name))});
  return at->second;
}

}  // namespace sallyport::compile
