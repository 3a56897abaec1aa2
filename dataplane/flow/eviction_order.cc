#include "dataplane/flow/eviction_order.h"

namespace sallyport::dataplane {

void EvictionOrder::enter(std::span<Flow> flows, std::uint32_t place) noexcept {
  flows[place].stand(standing_of(flows[place]));
  List& to = list(flows[place].standing());
  links_[place] = {0, to.tail};
  (to.tail != 0 ? links_[to.tail].next : to.head) = place;
  to.tail = place;
}

void EvictionOrder::leave(std::span<const Flow> flows, std::uint32_t place) noexcept {
  List& from = list(flows[place].standing());
  const Link link = links_[place];
  (link.previous != 0 ? links_[link.previous].next : from.head) = link.next;
  (link.next != 0 ? links_[link.next].previous : from.tail) = link.previous;
}

}  // namespace sallyport::dataplane
