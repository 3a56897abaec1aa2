// Compiled policy and dumb twin side by side: makes packets at and around what a configuration
// names and tells the first on which the two differ. Used by the seeded test and by the fuzz
// target.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/compile/compile.h"
#include "policy/decide/classifier.h"
#include "policy/decide/names.h"
#include "tests/support/policy/random_gateway.h"
#include "tests/support/policy/reference_policy.h"

namespace sallyport::testing {

// A configuration without contradictions, and what it was compiled to.
struct Agreed {
  model::Gateway gateway;
  compile::Compiled compiled;
  std::size_t overlaps = 0;  // conduits that had to go because they overlapped others
};

// Compiles, taking out the conduits that are reported until the rest stands. Nothing if the plant
// itself is at fault. Aborts on a diagnostic that no configuration may cause.
std::optional<Agreed> agree(model::Gateway gateway, const compile::Slots& previous);

class Comparison {
 public:
  // Both borrowed.
  Comparison(const Agreed& agreed, Choices& choices);

  // The first difference in words, or nothing.
  std::optional<std::string> run(std::size_t packets);
  std::size_t allowed() const { return allowed_; }

 private:
  IpAddress some_address(std::size_t version);
  ReferencePacket some_packet();
  // An address that this end may mean; the given one if it means none.
  IpAddress within(const model::End& end, const IpAddress& otherwise);
  IpAddress own_address();
  // One leg of the conduit, in one of its versions.
  void aim(const model::Conduit& conduit, ReferencePacket& packet);
  void spoil(ReferencePacket& packet);
  std::optional<std::string> compare(const ReferencePacket& packet);
  // Do both find the same, whatever hint the dataplane's gets?
  bool same(const decide::Verdict& found, const decide::Ingress& ingress,
            const decide::Tuple& tuple, std::span<const std::uint32_t> names) const;
  bool any_of(const ReferencePacket& packet, const ReferenceVerdict& seen) const;

  const Agreed& agreed_;
  Choices& choices_;
  const wire::SnapshotView view_;
  const decide::LikelyPlaces likely_;
  const decide::Classifier classifier_;  // by it, as the dataplane's
  const decide::Classifier plain_;       // by search alone
  const decide::Names names_;
  const ReferencePolicy reference_;
  std::array<std::vector<IpAddress>, 2> addresses_;
  std::map<std::string, std::vector<IpAddress>> by_segment_;
  const std::vector<std::uint16_t> ports_ = interesting_ports();
  std::size_t allowed_ = 0;
};

}  // namespace sallyport::testing
