// What `strict` means: the only cipher suites, groups, signature schemes and switches that a
// terminated connection may use. One table; the library is configured from it, the handshake watch
// enforces what the library cannot be told, `crypto` prints it, and tests/snapshots/tls-policy.txt
// is its expansion: a change of policy is a visible change of that file.
//
// Rationale: the intersection of NIST SP 800-52r2, BSI TR-02102-2 (2026-01), RFC 9325 with RFC
// 10015, IANA, OWASP and Mozilla 6.0; groups after RFC 10024 and SP 800-56A. 2.4.7.15.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::terminator {

struct Suite {
  std::uint16_t id;
  std::string_view iana;
  std::string_view library;  // the TLS library's own name of it
  bool tls13;
};

// In the server's order of preference.
inline constexpr auto kStrictSuites = std::to_array<Suite>({
    {0x1302, "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", true},
    {0x1301, "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", true},
    {0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", false},
    {0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", false},
    {0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", false},
    {0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", false},
});

struct Group {
  std::uint16_t id;
  std::string_view iana;
  bool hybrid;    // needs ML-KEM in the library
  bool listener;  // leg A
  bool uplink;    // leg B
};

// In order of preference. X25519 and its hybrid are for cloud servers that have nothing else.
inline constexpr auto kStrictGroups = std::to_array<Group>({
    {0x11EB, "SecP256r1MLKEM768", true, true, true},
    {0x11EC, "X25519MLKEM768", true, false, true},
    {0x11ED, "SecP384r1MLKEM1024", true, true, true},
    {0x0017, "secp256r1", false, true, true},
    {0x0018, "secp384r1", false, true, true},
    {0x001D, "x25519", false, false, true},
});

struct SignatureScheme {
  std::uint16_t id;
  std::string_view iana;
};

// In handshakes. PKCS#1 v1.5 with SHA-2 is accepted inside certificate chains only. 0x0603 is what
// TLS 1.2 calls ECDSA with SHA-512 on whatever curve the key has (RFC 8446 §4.2.3); the library
// offers it and cannot be told not to. In TLS 1.3 it would need secp521r1, which is not compiled
// in.
inline constexpr auto kStrictSignatures = std::to_array<SignatureScheme>({
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0603, "ecdsa_sha512 (TLS 1.2 only)"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0809, "rsa_pss_pss_sha256"},
    {0x080A, "rsa_pss_pss_sha384"},
    {0x080B, "rsa_pss_pss_sha512"},
});

inline constexpr unsigned kMinOwnRsaBits = 3072;
inline constexpr unsigned kMinPeerRsaBits = 2048;  // until 2030-12-31
inline constexpr unsigned kMinEcBits = 256;
inline constexpr unsigned kMaxChainDepth = 3;

// A test point of the protocol: what it is set to, and what holds it there.
struct ProtocolSwitch {
  std::string_view name;
  std::string_view setting;
  std::string_view held_by;
};
inline constexpr auto kProtocolSwitches = std::to_array<ProtocolSwitch>({
    {"versions", "TLS 1.3, TLS 1.2 (until 2031-12-31)", "library: older ones are not compiled in"},
    {"extended_master_secret", "required in TLS 1.2 (RFC 7627)", "handshake watch"},
    {"renegotiation", "refused, renegotiation_info answered", "library: not compiled in"},
    {"compression", "null only", "library: not compiled in"},
    {"early data (0-RTT)", "off", "library: not compiled in"},
    {"session tickets", "off", "context"},
    {"session cache", "off", "context"},
    {"cipher suite order", "the gateway's", "context"},
    {"server_name at a listener", "absent, or a name of the certificate", "handshake watch"},
    {"server_name to a server", "the conduit's server name, and nothing else", "context"},
    {"signatures in handshakes", "the schemes above, also in TLS 1.2", "handshake watch"},
    {"alerts before the handshake's end", "handshake_failure in the clear, else none",
     "handshake watch"},
});

const Suite* strict_suite(std::uint16_t id) noexcept;
const Group* strict_group(std::uint16_t id) noexcept;
bool is_strict_signature(std::uint16_t id) noexcept;

// Does the linked library have it? What is vetted but missing is reported, never silently absent.
bool available(const Group& group) noexcept;

// The whole policy as text, independent of the linked library.
std::string expanded_policy();
// The same as JSON for `sallyctl crypto`, with "available" for each entry and the library's
// version; what is missing says "vetted, not available".
std::string policy_json();

}  // namespace sallyport::terminator
