#include "tls-termination/wolfssl/tls_policy.h"

#include <fmt/format.h>
#include <sallyport_wolfssl_info.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sallyport::terminator {
namespace {

constexpr std::string_view kMissing = "vetted, not available";

std::string_view legs(const Group& group) {
  if (group.listener && group.uplink) return "both legs";
  return group.uplink ? "uplink only" : "listeners only";
}

}  // namespace

const Suite* strict_suite(std::uint16_t id) noexcept {
  const auto* found = std::ranges::find(kStrictSuites, id, &Suite::id);
  return found == kStrictSuites.end() ? nullptr : found;
}

const Group* strict_group(std::uint16_t id) noexcept {
  const auto* found = std::ranges::find(kStrictGroups, id, &Group::id);
  return found == kStrictGroups.end() ? nullptr : found;
}

bool is_strict_signature(std::uint16_t id) noexcept {
  return std::ranges::find(kStrictSignatures, id, &SignatureScheme::id) != kStrictSignatures.end();
}

bool available(const Group& group) noexcept {
  return !group.hybrid || SALLYPORT_WOLFSSL_HAS_HYBRIDS != 0;
}

std::string expanded_policy() {
  std::string out =
      "# TLS policy `strict`, expanded. Written by `tls_policy_text --write`; a test fails on "
      "drift.\n\ncipher suites, in the gateway's order\n";
  for (const Suite& suite : kStrictSuites) {
    out += fmt::format("  0x{:04X}  {:<40} {}\n", suite.id, suite.iana,
                       suite.tls13 ? "TLS 1.3" : "TLS 1.2");
  }
  out += "\ngroups, in order of preference\n";
  for (const Group& group : kStrictGroups) {
    out += fmt::format("  0x{:04X}  {:<20} {:<12}{}\n", group.id, group.iana, legs(group),
                       group.hybrid ? " TLS 1.3, if the library has ML-KEM" : "");
  }
  out += "\nsignature schemes in handshakes\n";
  for (const SignatureScheme& scheme : kStrictSignatures)
    out += fmt::format("  0x{:04X}  {}\n", scheme.id, scheme.iana);
  out += fmt::format(
      "\nkeys\n  RSA, own          >= {} bits\n  RSA, peer's       >= {} bits\n"
      "  elliptic curve    >= {} bits\n  chain depth       <= {}\n\nswitches\n",
      kMinOwnRsaBits, kMinPeerRsaBits, kMinEcBits, kMaxChainDepth);
  for (const ProtocolSwitch& point : kProtocolSwitches)
    out += fmt::format("  {:<36}{}  [{}]\n", point.name, point.setting, point.held_by);
  return out;
}

std::string policy_json() {
  nlohmann::json out;
  out["library"] = {{"name", "wolfSSL"},
                    {"version", SALLYPORT_WOLFSSL_VERSION},
                    {"path", SALLYPORT_WOLFSSL_PATH},
                    {"source", SALLYPORT_WOLFSSL_SOURCE}};
  out["policy"] = "strict";
  for (const Suite& suite : kStrictSuites) {
    out["suites"].push_back({{"id", fmt::format("0x{:04X}", suite.id)},
                             {"name", suite.iana},
                             {"version", suite.tls13 ? "TLS 1.3" : "TLS 1.2"},
                             {"status", "available"}});
  }
  for (const Group& group : kStrictGroups) {
    out["groups"].push_back({{"id", fmt::format("0x{:04X}", group.id)},
                             {"name", group.iana},
                             {"legs", legs(group)},
                             {"status", available(group) ? "available" : kMissing}});
  }
  for (const SignatureScheme& scheme : kStrictSignatures)
    out["signatures"].push_back(
        {{"id", fmt::format("0x{:04X}", scheme.id)}, {"name", scheme.iana}});
  for (const ProtocolSwitch& point : kProtocolSwitches)
    out["switches"].push_back(
        {{"name", point.name}, {"setting", point.setting}, {"held-by", point.held_by}});
  out["dtls-1.2-connection-id"] = SALLYPORT_WOLFSSL_HAS_DTLS12_CID != 0 ? "available" : kMissing;
  return out.dump();
}

}  // namespace sallyport::terminator
