// Packets that show a difference: each could really be sent, by the sender that binding lets send
// it, so that `explain` and a real packet confirm what the proof says. Internal to policy/prove.
#pragma once

#include <optional>

#include "policy/explain/explain.h"
#include "policy/prove/described.h"
#include "policy/prove/joint.h"

namespace sallyport::prove {

class Witnesses {
 public:
  // All borrowed.
  Witnesses(const wire::SnapshotView& view, const decide::Classifier& classifier,
            const Joint& joint, const Described& described)
      : view_(view), classifier_(classifier), joint_(joint), described_(described) {}

  // The first packet of a flow between two joint classes. Nothing if there is none to see: no
  // enrolled device has such an address, or it could only talk to itself, or to nobody.
  std::optional<explain::Question> between(JointId source, JointId destination,
                                           std::uint8_t protocol, std::uint16_t port) const;
  // A packet of one of the boxes that the conduit describes, leg A before leg B.
  std::optional<explain::Question> of_conduit(const model::Conduit& conduit) const;
  // A packet that has this address as source, where the tables place it; where they place it
  // nowhere, where the model does.
  std::optional<explain::Question> from(const IpAddress& address,
                                        const DescribedPlace& should) const;
  // What this device sends from its port: to the gateway, from its first address.
  std::optional<explain::Question> of_device(const model::Device& device) const;
  // The same for a device as the tables have it.
  std::optional<explain::Question> of_slot(std::uint32_t slot) const;
  // What a stranger sends on a port and VLAN of this segment.
  std::optional<explain::Question> on_wire(std::string_view port, std::uint16_t vlan,
                                           std::string_view segment) const;

 private:
  std::optional<IpAddress> some_named_host(std::uint32_t source_class, std::uint8_t protocol,
                                           std::uint16_t port, bool v4) const;
  // The target, or another address that nothing tells from it: nobody sends to himself.
  std::optional<IpAddress> apart(const IpAddress& source, const IpAddress& target) const;
  // Somewhere to send to from this segment, in the source's version.
  IpAddress neighbour_of(const IpAddress& source, std::uint16_t segment) const;
  explain::Question frame(const IpAddress& source, std::uint16_t segment) const;

  const wire::SnapshotView& view_;
  const decide::Classifier& classifier_;
  const Joint& joint_;
  const Described& described_;
};

}  // namespace sallyport::prove
