// Hands out slots, listener ports and virtual addresses so that they stay with their names. What
// the previous revision used, alive or not, is never given to another name in this one: a flow, a
// cached DNS answer or a connection that outlives its owner by one step meets nobody else.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compile/compile.h"

namespace sallyport::compile {

class SlotBook {
 public:
  explicit SlotBook(const Slots& previous);

  // The same name gets the same answer. Nothing when the bound of wire/tables.h is reached.
  std::optional<std::uint32_t> port(std::string_view name);
  std::optional<std::uint32_t> segment(std::string_view name);
  std::optional<std::uint32_t> device(std::string_view name);
  std::optional<std::uint32_t> conduit(std::string_view name);
  std::optional<std::uint32_t> rule(std::string_view key);
  std::optional<std::uint16_t> listener_port(std::string_view conduit);
  // One address of `version` out of `ranges` for (segment, DNS name).
  std::optional<IpAddress> virtual_address(const std::string& segment, const std::string& name,
                                           IpVersion version, const std::vector<IpPrefix>& ranges);

  // What was handed out.
  const Slots& current() const { return current_; }

 private:
  using Map = std::map<std::string, std::uint32_t, std::less<>>;
  struct Column {
    std::set<std::uint32_t> used;
    std::uint32_t next = 0;  // below it everything is used
  };
  static Column column_of(const Map& previous);
  static std::optional<std::uint32_t> give(std::string_view name, const Map& previous, Map& current,
                                           Column& column, std::size_t bound);

  const Slots* previous_;
  Slots current_;
  Column ports_, segments_, devices_, conduits_, rules_, listeners_;
  std::map<std::string, std::uint32_t, std::less<>> listener_slots_before_, listener_slots_;
  std::set<IpAddress> virtual_used_;
  std::map<IpAddress, IpAddress> virtual_next_;  // by first address of a range
};

}  // namespace sallyport::compile
