// The size that a gateway is built for: a thousand devices, ten thousand conduits of every kind.
// Judged here by steps of work; the time that they take is in docs/measurements/policy.md.
#include <gtest/gtest.h>

#include <iostream>

#include "policy/prove/prove.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport {
namespace {

constexpr std::size_t kSegments = 10;
constexpr std::size_t kDevices = 1000;
constexpr std::size_t kStepsForADevice = 40;
constexpr std::size_t kStepsForAConduit = 20;

std::string text(const char* before, std::size_t n) { return before + std::to_string(n); }

model::Gateway plant() {
  model::Gateway out = testing::bare_gateway();
  out.devices.clear();
  out.segments.resize(1);  // the uplink
  for (std::size_t s = 0; s < kSegments; ++s) {
    out.ports.push_back({text("p", s), "net_null0", {1, 1}});
    model::Segment segment;
    segment.name = text("s", s);
    segment.members = {{out.ports.back().name, 0}};
    segment.addresses = {testing::own(text("10.", 20 + s) + ".0.1", 16),
                         testing::own(text("fd00:", 20 + s) + "::1", 64)};
    segment.services = model::kDns | model::kNtp | model::kPing;
    out.segments.push_back(segment);
  }
  for (std::size_t d = 0; d < kDevices; ++d) {
    const std::size_t s = d % kSegments;
    model::Device device;
    device.name = text("d", d);
    device.segment = text("s", s);
    device.where = out.segments[1 + s].members[0];
    device.mac = MacAddress(
        {2, 0, 0, 1, static_cast<std::uint8_t>(d >> 8), static_cast<std::uint8_t>(d & 255)});
    device.addresses = {testing::ip(text("10.", 20 + s) + text(".1.", 1 + d / kSegments)),
                        testing::ip(text("fd00:", 20 + s) + text("::1:", 1 + d / kSegments))};
    out.devices.push_back(device);
  }
  return out;
}

void add_conduits(model::Gateway& out, std::size_t count) {
  for (std::size_t c = 0; c < count; ++c) {
    const std::size_t kind = c / kDevices;
    const model::End own = testing::device(text("d", c % kDevices));
    if (kind < 3) {
      const std::string server = text("203.0.", c % 200) + text(".", 1 + c / 200);
      testing::add_conduit(out, text("c", c), own, testing::addresses({server}), testing::tcp(443));
    } else if (kind < 5) {
      testing::add_conduit(out, text("c", c), testing::segment("uplink"), own, testing::tcp(502))
          .terminate = testing::inbound(static_cast<std::uint16_t>(1000 + c));
    } else if (kind < 6) {
      testing::add_conduit(out, text("c", c), own, testing::name(text("n", c) + ".example"),
                           testing::tcp(1883))
          .terminate = testing::outbound(text("b", c % 10) + ".example", 8883);
    } else {
      const auto port = static_cast<std::uint16_t>(2000 + kind * 10);
      testing::add_conduit(out, text("c", c), own,
                           testing::device(text("d", (c * 7 + kind * 131 + 1) % kDevices)),
                           testing::tcp(port, static_cast<std::uint16_t>(port + 5)));
    }
  }
}

prove::Proof proof_of(const model::Gateway& gateway) {
  const compile::Compiled compiled = testing::compiled(gateway);
  EXPECT_LT(compiled.snapshot.size(), 16U << 20);
  const prove::Proof proof = prove::prove(testing::view_of(compiled), gateway, std::nullopt);
  EXPECT_TRUE(proof.holds()) << prove::to_text(proof).substr(0, 2000);
  std::cout << gateway.conduits.size() << " conduits: " << compiled.snapshot.size() << " bytes, "
            << proof.intervals << " intervals, " << proof.boxes << " boxes, " << proof.steps
            << " steps\n";
  return proof;
}

// A step is an interval placed, a range or box laid down, or a visit of one that holds at a port.
TEST(Scale, TheWorkOfAProofGrowsNoFasterThanTheConduits) {
  for (const std::size_t conduits : {1000U, 2000U, 10'000U}) {
    model::Gateway gateway = plant();
    add_conduits(gateway, conduits);
    const prove::Proof proof = proof_of(gateway);
    EXPECT_LE(proof.steps, kStepsForADevice * kDevices + kStepsForAConduit * conduits);
  }
}

// All in one place: every conduit between the same two ends, on ports of its own.
TEST(Scale, NorWhenAllConduitsMeetInOnePair) {
  for (const std::size_t conduits : {1000U, 10'000U}) {
    model::Gateway gateway = testing::bare_gateway();
    for (std::size_t c = 0; c < conduits; ++c) {
      const auto port = static_cast<std::uint16_t>(1 + 3 * c);
      testing::add_conduit(gateway, text("c", c), testing::device("scada"),
                           testing::device("camera"),
                           testing::tcp(port, static_cast<std::uint16_t>(port + 1)));
    }
    EXPECT_LE(proof_of(gateway).steps, kStepsForADevice * 4 + kStepsForAConduit * conduits);
  }
}

// What cannot fit is refused with the line to change, not built slowly.
TEST(Scale, TooManyPairsAreRefusedByName) {
  model::Gateway gateway = plant();
  // Every device its own class on both sides, then one conduit between all of them.
  for (std::size_t d = 0; d < kDevices; ++d) {
    const model::End other = testing::device(text("d", (d + 1) % kDevices));
    testing::add_conduit(gateway, text("c", d), testing::device(text("d", d)), other,
                         testing::tcp(static_cast<std::uint16_t>(1 + d)));
  }
  for (std::size_t a = 0; a < kSegments; ++a)
    for (std::size_t b = 0; b < kSegments; ++b)
      testing::add_conduit(gateway, text("all", a * kSegments + b), testing::segment(text("s", a)),
                           testing::segment(text("s", b)), testing::udp(9));
  for (std::size_t a = 0; a < kSegments; ++a)
    for (std::size_t b = 0; b < kSegments; ++b)
      testing::add_conduit(gateway, text("more", a * kSegments + b), testing::segment(text("s", a)),
                           testing::segment(text("s", b)), testing::udp(10));
  for (std::size_t a = 0; a < kSegments; ++a)
    testing::add_conduit(gateway, text("most", a), testing::segment(text("s", a)),
                         testing::segment("s0"), testing::udp(11));
  const auto out = compile::compile(gateway, {});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().front().code, "too-complex");
  EXPECT_GE(out.error().front().at.line, 100U);
}

}  // namespace
}  // namespace sallyport
