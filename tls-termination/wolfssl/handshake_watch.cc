#include "tls-termination/wolfssl/handshake_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {
namespace {

// RFC 8446 §5.1, §4; RFC 5246 §7.4.
constexpr std::uint8_t kChangeCipherSpec = 20;
constexpr std::uint8_t kAlert = 21;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kTypeClientHello = 1;
constexpr std::uint8_t kTypeServerHello = 2;
constexpr std::uint8_t kTypeServerKeyExchange = 12;
constexpr std::uint8_t kTypeCertificateVerify = 15;
constexpr std::uint16_t kExtServerName = 0;
constexpr std::uint16_t kExtExtendedMasterSecret = 23;
constexpr std::uint16_t kExtSupportedVersions = 43;
constexpr std::uint16_t kTls13 = 0x0304;
constexpr std::size_t kMaxRecord = 16384 + 256;
constexpr std::size_t kRecordHeader = 5;
// An alert sealed by AES-GCM: two bytes, in TLS 1.3 the inner type, and the tag.
constexpr std::size_t kSealedAlert13 = 2 + 1 + 16;
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kHandshakeFailure = 40;

// RFC 6066 §3: one host_name entry. Anything else is malformed.
bool read_server_name(Cursor body, std::string& name) {
  if (body.empty()) return true;  // a server's acknowledgement
  const auto list = body.be16();
  if (!list || *list != body.remaining()) return false;
  const auto type = body.u8();
  const auto size = body.be16();
  if (!type || *type != 0 || !size || *size == 0) return false;
  const auto text = body.take(*size);
  if (!text || !body.empty()) return false;
  name.assign(text->begin(), text->end());
  return std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Calls visit(type, body) for each extension; false if the block is malformed or visit says so.
template <class Visit>
bool each_extension(Cursor& cursor, const Visit& visit) {
  if (cursor.empty()) return true;  // RFC 5246: the block may be absent
  const auto size = cursor.be16();
  if (!size || *size != cursor.remaining()) return false;
  while (!cursor.empty()) {
    const auto type = cursor.be16();
    const auto length = cursor.be16();
    if (!type || !length) return false;
    const auto body = cursor.take(*length);
    if (!body || !visit(*type, Cursor(*body))) return false;
  }
  return true;
}

bool skip_vector8(Cursor& cursor) {
  const auto size = cursor.u8();
  return size && cursor.skip(*size);
}
bool skip_vector16(Cursor& cursor) {
  const auto size = cursor.be16();
  return size && cursor.skip(*size);
}

}  // namespace

std::optional<ClientHello> parse_client_hello(ConstBytes body) {
  Cursor cursor(body);
  ClientHello out;
  const auto version = cursor.be16();
  if (!version || !cursor.skip(32) || !skip_vector8(cursor) || !skip_vector16(cursor) ||
      !skip_vector8(cursor))
    return std::nullopt;
  out.legacy_version = *version;
  const bool whole = each_extension(cursor, [&out](std::uint16_t type, Cursor extension) {
    if (type == kExtExtendedMasterSecret) out.extended_master_secret = true;
    if (type == kExtServerName) return read_server_name(extension, out.server_name);
    if (type != kExtSupportedVersions) return true;
    const auto size = extension.u8();
    if (!size || *size != extension.remaining() || *size % 2 != 0) return false;
    while (const auto offered = extension.be16()) out.offers_tls13 |= *offered == kTls13;
    return true;
  });
  if (!whole) return std::nullopt;
  return out;
}

std::optional<ServerHello> parse_server_hello(ConstBytes body) {
  Cursor cursor(body);
  ServerHello out;
  if (!cursor.skip(2 + 32) || !skip_vector8(cursor) || !cursor.skip(2 + 1)) return std::nullopt;
  const bool whole = each_extension(cursor, [&out](std::uint16_t type, Cursor extension) {
    if (type == kExtExtendedMasterSecret) out.extended_master_secret = true;
    if (type == kExtSupportedVersions) out.tls13 = extension.be16() == kTls13;
    return true;
  });
  if (!whole) return std::nullopt;
  return out;
}

std::optional<std::uint16_t> server_key_exchange_scheme(ConstBytes body) {
  Cursor cursor(body);
  const auto curve_type = cursor.u8();
  constexpr std::uint8_t kNamedCurve = 3;  // RFC 8422 §5.4
  if (!curve_type || *curve_type != kNamedCurve || !cursor.skip(2) || !skip_vector8(cursor))
    return std::nullopt;
  return cursor.be16();
}

bool HandshakeWatch::refuse(std::string why) {
  if (fault_.empty()) fault_ = std::move(why);
  return false;
}

bool HandshakeWatch::judge(std::uint8_t type, ConstBytes body) {
  if (type == kTypeClientHello) {
    auto hello = parse_client_hello(body);
    if (!hello) return refuse("malformed ClientHello");
    hello_ = *std::move(hello);
    if (!hello_.server_name.empty() && judge_ && !judge_(hello_.server_name))
      return refuse(
          fmt::format("server_name {} is not a name of this certificate", hello_.server_name));
    return true;
  }
  if (type == kTypeServerHello) {
    const auto hello = parse_server_hello(body);
    if (!hello) return refuse("malformed ServerHello");
    agreed_ = true;
    tls13_ = hello->tls13;
    if (!hello->tls13 && !hello->extended_master_secret)
      return refuse("TLS 1.2 without extended_master_secret");
    return true;
  }
  if (type == kTypeServerKeyExchange || type == kTypeCertificateVerify) {
    const auto scheme =
        type == kTypeServerKeyExchange ? server_key_exchange_scheme(body) : Cursor(body).be16();
    if (!scheme) return refuse("malformed key exchange or certificate verification");
    if (!is_strict_signature(*scheme))
      return refuse(fmt::format("signature scheme 0x{:04x} is not vetted", *scheme));
  }
  return true;
}

bool HandshakeWatch::handshake_bytes(Direction& direction, ConstBytes bytes) {
  while (!bytes.empty()) {
    if (!direction.in_message) {
      const std::size_t take = std::min(bytes.size(), 4 - direction.message.size());
      direction.message.insert(direction.message.end(), bytes.begin(),
                               bytes.begin() + static_cast<std::ptrdiff_t>(take));
      bytes = bytes.subspan(take);
      if (direction.message.size() < 4) return true;
      const auto& m = direction.message;
      direction.message_left =
          static_cast<std::size_t>(m[1]) << 16 | static_cast<std::size_t>(m[2]) << 8 | m[3];
      direction.in_message = true;
      const std::uint8_t type = m[0];
      const bool hello = type == kTypeClientHello || type == kTypeServerHello;
      if (direction.message_left > (hello ? kMaxHelloSize : kMaxMessageSize))
        return refuse("handshake message too large");
    }
    const std::size_t take = std::min(bytes.size(), direction.message_left);
    const std::uint8_t type = direction.message[0];
    const bool wanted = type == kTypeClientHello || type == kTypeServerHello ||
                        type == kTypeServerKeyExchange || type == kTypeCertificateVerify;
    if (wanted) {
      const std::size_t room =
          kMaxHelloSize + 4 - std::min(kMaxHelloSize + 4, direction.message.size());
      direction.message.insert(direction.message.end(), bytes.begin(),
                               bytes.begin() + static_cast<std::ptrdiff_t>(std::min(take, room)));
    }
    bytes = bytes.subspan(take);
    direction.message_left -= take;
    if (direction.message_left > 0) return true;
    if (wanted && !judge(type, ConstBytes(direction.message).subspan(4))) return false;
    direction.message.clear();
    direction.in_message = false;
  }
  return true;
}

bool HandshakeWatch::begin_record(Direction& direction) {
  const std::uint8_t type = direction.header[0];
  direction.record_left = static_cast<std::size_t>(direction.header[3]) << 8 | direction.header[4];
  if (direction.record_left > kMaxRecord) return refuse("record too large");
  // Only in TLS 1.2, and only once that is agreed, does a ChangeCipherSpec hide what follows. In
  // TLS 1.3 it means nothing (RFC 8446 appendix D.4), what is encrypted has the type of application
  // data there, and the library forgives a server that sends one before its ServerHello.
  if (type == kChangeCipherSpec && agreed_ && !tls13_) direction.blind = true;
  return true;
}

bool HandshakeWatch::follow(Direction& direction, ConstBytes bytes) {
  while (!bytes.empty()) {
    if (direction.record_left == 0) {
      const std::size_t take = std::min(bytes.size(), kRecordHeader - direction.header_size);
      std::copy_n(bytes.begin(), take,
                  direction.header.begin() + static_cast<std::ptrdiff_t>(direction.header_size));
      direction.header_size += take;
      bytes = bytes.subspan(take);
      if (direction.header_size < kRecordHeader) return true;
      direction.header_size = 0;
      if (!begin_record(direction)) return false;
      continue;
    }
    const std::size_t take = std::min(bytes.size(), direction.record_left);
    if (direction.header[0] == kHandshake && !direction.blind &&
        !handshake_bytes(direction, bytes.first(take)))
      return false;
    bytes = bytes.subspan(take);
    direction.record_left -= take;
  }
  return true;
}

bool HandshakeWatch::received(ConstBytes bytes) { return finished_ || follow(in_, bytes); }

// The library hands over whole records; an alert is always a record of its own.
HandshakeWatch::Verdict HandshakeWatch::sending(ConstBytes bytes) {
  if (finished_) return {bytes.size(), 0, {}};
  if (ahead_ > 0) return {std::min(ahead_, bytes.size()), 0, {}};
  std::size_t at = std::min(out_.record_left, bytes.size());
  while (bytes.size() - at >= kRecordHeader) {
    const std::uint8_t type = bytes[at];
    const std::size_t body = static_cast<std::size_t>(bytes[at + 3]) << 8 | bytes[at + 4];
    if (type == kAlert || (type == kApplicationData && body == kSealedAlert13)) {
      if (at > 0) break;
      Verdict verdict{0, std::min(bytes.size(), kRecordHeader + body), {}};
      if (type == kAlert && body == 2 && !sent_encrypted_) {
        alert_ = {kAlert, bytes[1], bytes[2], 0, 2, kFatal, kHandshakeFailure};
        verdict.instead = alert_;
      }
      return verdict;
    }
    sent_encrypted_ |= type == kApplicationData;
    at += std::min(kRecordHeader + body, bytes.size() - at);
  }
  if (bytes.size() - at < kRecordHeader && at == 0) at = bytes.size();
  if (!follow(out_, bytes.first(at))) return {};
  ahead_ = at;
  return {at, 0, {}};
}

void HandshakeWatch::sent(std::size_t size) { ahead_ -= std::min(ahead_, size); }

void HandshakeWatch::finish() {
  finished_ = true;
  in_.message = {};
  out_.message = {};
}

}  // namespace sallyport::terminator
