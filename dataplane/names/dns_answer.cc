#include "dataplane/names/dns_answer.h"

#include <algorithm>

namespace sallyport::dataplane {
namespace {

constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kClassIn = 1;
constexpr std::size_t kHeaderSize = 12;

// Reads one name at `at` and moves `at` behind it. Pointers may only lead to before the place they
// stand in, each jump further back than the last, so the walk ends (RFC 1035 §4.1.4).
std::optional<DnsName> read_name(ConstBytes message, std::size_t& at) noexcept {
  DnsName name;
  std::size_t here = at;
  std::size_t limit = message.size();
  bool jumped = false;
  while (true) {
    if (here >= limit) return std::nullopt;
    const std::uint8_t length = message[here];
    if (length == 0) {
      if (!jumped) at = here + 1;
      return name;
    }
    if ((length & 0xc0U) == 0xc0U) {
      if (here + 1 >= message.size()) return std::nullopt;
      const auto target = static_cast<std::size_t>((length & 0x3fU) << 8 | message[here + 1]);
      if (!jumped) at = here + 2;
      if (target >= here || (jumped && target >= limit)) return std::nullopt;
      limit = here;  // bytes at or behind this pointer cannot be part of what it points to
      here = target;
      jumped = true;
      continue;
    }
    if ((length & 0xc0U) != 0 || here + 1 + length > limit) return std::nullopt;
    if (!name.append_label(message.subspan(here + 1, length))) return std::nullopt;
    here += 1U + length;
  }
}

struct Record {
  DnsName owner;
  std::uint16_t type = 0;
  std::uint32_t ttl_s = 0;
  std::size_t data_at = 0;
  std::size_t data_size = 0;
  bool usable = false;  // class IN and a readable owner
};

// Reads the record at `at` and moves behind it; nothing when it does not fit the message.
std::optional<Record> read_record(ConstBytes message, std::size_t& at) noexcept {
  Record record;
  const auto owner = read_name(message, at);
  if (!owner || at > message.size()) return std::nullopt;
  Cursor cursor(message.subspan(at));
  const auto type = cursor.be16();
  const auto klass = cursor.be16();
  const auto ttl = cursor.be32();
  const auto size = cursor.be16();
  if (!type || !klass || !ttl || !size || cursor.remaining() < *size) return std::nullopt;
  record.owner = *owner;
  record.type = *type;
  record.ttl_s = (*ttl & 0x80000000U) != 0 ? 0 : *ttl;  // RFC 2181 §8
  record.data_at = at + 10;
  record.data_size = *size;
  record.usable = *klass == kClassIn;
  at = record.data_at + *size;
  return record;
}

struct DnsHeader {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::uint16_t questions = 0;
  std::uint16_t records = 0;
};

std::optional<DnsHeader> read_header(ConstBytes message) noexcept {
  Cursor cursor(message);
  const auto id = cursor.be16();
  const auto flags = cursor.be16();
  const auto questions = cursor.be16();
  const auto records = cursor.be16();
  if (!id || !flags || !questions || !records || !cursor.skip(4)) return std::nullopt;
  return DnsHeader{*id, *flags, *questions, *records};
}

// The one question; moves `at` behind it.
std::optional<DnsAsked> read_question(ConstBytes message, std::uint16_t id,
                                      std::size_t& at) noexcept {
  at = kHeaderSize;
  const auto name = read_name(message, at);
  if (!name || at > message.size()) return std::nullopt;
  Cursor cursor(message.subspan(at));
  const auto type = cursor.be16();
  const auto klass = cursor.be16();
  if (!type || klass != kClassIn || (type != kTypeA && type != kTypeAaaa)) return std::nullopt;
  at += 4;
  return DnsAsked{id, *type, *name};
}

std::optional<IpAddress> address_of(ConstBytes message, const Record& record) noexcept {
  const ConstBytes data = message.subspan(record.data_at, record.data_size);
  if (record.type == kTypeA && data.size() == 4)
    return IpAddress::v4_bytes({data[0], data[1], data[2], data[3]});
  if (record.type == kTypeAaaa && data.size() == 16) {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(data, bytes.begin());
    const IpAddress address = IpAddress::v6(bytes);
    if (!address.is_v4()) return address;
  }
  return std::nullopt;
}

}  // namespace

bool DnsName::append_label(ConstBytes label) noexcept {
  const std::size_t dot = size_ == 0 ? 0 : 1;
  if (size_ + dot + label.size() > text_.size()) return false;
  if (dot == 1) text_[size_++] = '.';
  for (std::uint8_t byte : label) {
    const auto c = static_cast<char>(byte);
    const bool upper = c >= 'A' && c <= 'Z';
    const bool known =
        upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!known) return false;
    text_[size_++] = upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return true;
}

std::optional<DnsAsked> parse_dns_question(ConstBytes message) noexcept {
  std::size_t at = 0;
  const auto header = read_header(message);
  // RFC 1035 §4.1.1: a query, of the plain kind.
  if (!header || (header->flags & 0xf800U) != 0 || header->questions != 1) return std::nullopt;
  return read_question(message, header->id, at);
}

std::optional<DnsAnswer> parse_dns_answer(ConstBytes message) noexcept {
  const auto header = read_header(message);
  if (!header) return std::nullopt;
  const bool response = (header->flags & 0x8000U) != 0;
  const bool plain_query = (header->flags & 0x7800U) == 0;
  const bool complete = (header->flags & 0x0200U) == 0;
  const bool success = (header->flags & 0x000fU) == 0;
  if (!response || !plain_query || !complete || !success || header->questions != 1)
    return std::nullopt;
  std::size_t at = 0;
  const auto asked = read_question(message, header->id, at);
  if (!asked) return std::nullopt;

  DnsAnswer answer;
  answer.asked_ = *asked;
  DnsName wanted = asked->name;
  std::uint32_t chain_ttl = UINT32_MAX;
  const std::size_t first_record = at;
  const unsigned count = std::min<unsigned>(header->records, kMaxDnsRecords);
  // Aliases may stand in any order, so each alias found starts the walk again with the name it
  // leads to.
  for (unsigned depth = 0; depth <= kMaxCnameDepth; ++depth) {
    bool aliased = false;
    at = first_record;
    for (unsigned i = 0; i < count; ++i) {
      const auto record = read_record(message, at);
      if (!record) return std::nullopt;
      if (!record->usable || record->owner != wanted) continue;
      if (record->type == kTypeCname && !aliased) {
        std::size_t target_at = record->data_at;
        const auto target = read_name(message, target_at);
        if (!target || target_at > record->data_at + record->data_size) return std::nullopt;
        chain_ttl = std::min(chain_ttl, record->ttl_s);
        wanted = *target;
        aliased = true;
        break;
      }
      if (record->type != asked->type) continue;
      const auto address = address_of(message, *record);
      if (address && answer.count_ < kMaxDnsAddresses) {
        answer.addresses_[answer.count_++] = {*address, std::min(chain_ttl, record->ttl_s)};
      }
    }
    if (!aliased) return answer;
  }
  return std::nullopt;
}

}  // namespace sallyport::dataplane
