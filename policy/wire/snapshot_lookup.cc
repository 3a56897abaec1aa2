// Reading a verified snapshot: conversions and lookups off the packet path.
#include <algorithm>

#include "policy/wire/snapshot.h"

namespace sallyport::wire {
namespace {

template <class Table, class Slot>
const Table* by_slot(const flatbuffers::Vector<flatbuffers::Offset<Table>>* tables,
                     Slot slot) noexcept {
  flatbuffers::uoffset_t low = 0;
  flatbuffers::uoffset_t high = tables->size();
  while (low < high) {
    const flatbuffers::uoffset_t middle = low + (high - low) / 2;
    if (tables->Get(middle)->slot() < slot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == tables->size() || tables->Get(low)->slot() != slot) return nullptr;
  return tables->Get(low);
}

template <class Table>
const Table* by_name(const flatbuffers::Vector<flatbuffers::Offset<Table>>* tables,
                     std::string_view name) noexcept {
  for (const Table* table : *tables)
    if (text(table->name()) == name) return table;
  return nullptr;
}

}  // namespace

const Port* SnapshotView::port(std::uint16_t slot) const noexcept {
  return by_slot(root_->ports(), slot);
}
const Segment* SnapshotView::segment(std::uint16_t slot) const noexcept {
  return by_slot(root_->segments(), slot);
}
const Conduit* SnapshotView::conduit(std::uint32_t slot) const noexcept {
  return by_slot(root_->conduits(), slot);
}
const Segment* SnapshotView::segment(std::string_view name) const noexcept {
  return by_name(root_->segments(), name);
}
const Port* SnapshotView::port(std::string_view name) const noexcept {
  return by_name(root_->ports(), name);
}

std::string_view SnapshotView::device_name(std::uint32_t slot) const noexcept {
  const auto* names = root_->device_names();
  return slot < names->size() ? text(names->Get(slot)) : std::string_view();
}
std::string_view SnapshotView::rule_name(std::uint32_t slot) const noexcept {
  const auto* names = root_->rule_names();
  return slot < names->size() ? text(names->Get(slot)) : std::string_view();
}

const Address* SnapshotView::host_address(std::uint16_t slot, IpVersion version) const noexcept {
  const Segment* s = segment(slot);
  if (s == nullptr) return nullptr;
  for (const InterfaceAddress* a : *s->addresses())
    if (to_ip(a->address()).version() == version) return &a->address();
  return nullptr;
}

Address to_wire(const IpAddress& address) noexcept {
  return Address(flatbuffers::span<const std::uint8_t, 16>(address.bytes().data(), 16));
}

Mac to_wire(const MacAddress& mac) noexcept {
  return Mac(flatbuffers::span<const std::uint8_t, 6>(mac.bytes().data(), 6));
}

std::string_view text(const flatbuffers::String* string) noexcept {
  return string == nullptr ? std::string_view() : std::string_view(string->c_str(), string->size());
}

}  // namespace sallyport::wire
