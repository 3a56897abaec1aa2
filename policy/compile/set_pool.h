// Interned ends of rules: equal sets of addresses have equal ids, whatever the words that described
// them. A DNS name is an end of its own kind, with no address that the compiler knows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/compile/address_set.h"

namespace sallyport::compile {

using SetId = std::uint32_t;

class SetPool {
 public:
  SetId intern(const AddressSet& addresses);
  SetId intern_name(const std::string& name);

  std::size_t size() const { return entries_.size(); }
  const AddressSet& addresses(SetId id) const { return *entries_[id].addresses; }
  // Empty for a set of addresses.
  const std::string& name(SetId id) const { return *entries_[id].name; }
  bool is_name(SetId id) const { return !entries_[id].name->empty(); }
  // The same for the same content in every compilation.
  const std::string& digest(SetId id) const { return entries_[id].digest; }

 private:
  struct Entry {
    const AddressSet* addresses;
    const std::string* name;
    std::string digest;
  };
  std::map<AddressSet, SetId> by_addresses_;
  std::map<std::string, SetId> by_name_;
  std::vector<Entry> entries_;
};

}  // namespace sallyport::compile
