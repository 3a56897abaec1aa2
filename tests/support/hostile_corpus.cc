// One function per class of frame, so longer than most files: a class is found by its name in the
// table at the end.
#include "tests/support/hostile_corpus.h"

#include <algorithm>
#include <utility>

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIpv4 = 20;
constexpr std::size_t kIpv6 = 40;

void put16(Bytes& out, std::size_t at, std::uint32_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
std::uint32_t get16(const Bytes& in, std::size_t at) {
  return static_cast<std::uint32_t>(in[at] << 8 | in[at + 1]);
}

void append(Bytes& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    start += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  return start;
}
std::uint32_t fold(std::uint32_t value) {
  while (value > 0xffff) value = (value & 0xffff) + (value >> 16);
  return ~value & 0xffff;
}

struct Plan {
  MacAddress to;
  MacAddress from;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 502;
  std::uint8_t tcp_flags = 0x02;
  std::size_t payload = 0;
};

// Where things stand in a frame that build() made: no VLAN tag, no options.
bool is_v4(const Bytes& frame) { return get16(frame, 12) == 0x0800; }
std::size_t transport_at(const Bytes& frame) { return kEthernet + (is_v4(frame) ? kIpv4 : kIpv6); }

// Sets length fields and sums right for whatever stands in the frame.
void seal(Bytes& frame) {
  const bool v4 = is_v4(frame);
  const std::size_t at = transport_at(frame);
  const auto size = static_cast<std::uint32_t>(frame.size() - at);
  const std::uint8_t protocol = v4 ? frame[kEthernet + 9] : frame[kEthernet + 6];
  if (v4) {
    put16(frame, kEthernet + 2, size + kIpv4);
    put16(frame, kEthernet + 10, 0);
    put16(frame, kEthernet + 10, fold(sum(std::span(frame).subspan(kEthernet, kIpv4))));
  } else {
    put16(frame, kEthernet + 4, size);
  }
  const auto addresses = std::span(frame).subspan(kEthernet + (v4 ? 12 : 8), v4 ? 8 : 32);
  const std::uint32_t pseudo = sum(addresses, size + protocol);
  std::size_t field = 0;
  std::uint32_t start = pseudo;
  if (protocol == 6) field = 16;
  if (protocol == 17) field = 6;
  if (protocol == 58) field = 2;
  if (protocol == 1) {
    field = 2;
    start = 0;
  }
  if (protocol == 17) put16(frame, at + 4, size);
  if (field == 0 || size < field + 2) return;
  put16(frame, at + field, 0);
  const std::uint32_t value = fold(sum(std::span(frame).subspan(at), start));
  put16(frame, at + field, protocol == 17 && value == 0 ? 0xffff : value);
}

Bytes build(const Plan& plan) {
  Bytes frame;
  append(frame, plan.to.bytes());
  append(frame, plan.from.bytes());
  if (plan.source.is_v4()) {
    append(frame, std::array<std::uint8_t, 14>{0x08, 0x00, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64,
                                               plan.protocol, 0, 0});
    append(frame, std::span(plan.source.bytes()).subspan(12));
    append(frame, std::span(plan.destination.bytes()).subspan(12));
  } else {
    append(frame, std::array<std::uint8_t, 10>{0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, plan.protocol, 64});
    append(frame, plan.source.bytes());
    append(frame, plan.destination.bytes());
  }
  const std::size_t at = frame.size();
  if (plan.protocol == 6) {
    frame.resize(at + 20);
    put16(frame, at, plan.source_port);
    put16(frame, at + 2, plan.destination_port);
    frame[at + 7] = 7;
    frame[at + 12] = 0x50;
    frame[at + 13] = plan.tcp_flags;
    put16(frame, at + 14, 64240);
  } else if (plan.protocol == 17) {
    frame.resize(at + 8);
    put16(frame, at, plan.source_port);
    put16(frame, at + 2, plan.destination_port);
  } else if (plan.protocol == 1 || plan.protocol == 58) {
    frame.resize(at + 8);
    frame[at] = plan.protocol == 1 ? 8 : 128;
    frame[at + 7] = 1;
  }
  frame.resize(frame.size() + plan.payload, 0x5a);
  seal(frame);
  return frame;
}

// Puts `header` between IPv6 header and what follows; the first byte of `header` is its own
// next-header field.
void insert_extension(Bytes& frame, std::uint8_t type, Bytes header) {
  header[0] = frame[kEthernet + 6];
  frame[kEthernet + 6] = type;
  frame.insert(frame.begin() + kEthernet + kIpv6, header.begin(), header.end());
  put16(frame, kEthernet + 4, static_cast<std::uint32_t>(frame.size() - kEthernet - kIpv6));
}

void insert_tag(Bytes& frame, std::uint16_t type, std::uint32_t tci) {
  const std::array<std::uint8_t, 4> tag{
      static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type),
      static_cast<std::uint8_t>(tci >> 8), static_cast<std::uint8_t>(tci)};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
}

void refresh_ipv4_sum(Bytes& frame, std::size_t header_size = kIpv4) {
  put16(frame, kEthernet + 10, 0);
  put16(frame, kEthernet + 10, fold(sum(std::span(frame).subspan(kEthernet, header_size))));
}

}  // namespace

// One function per class; each fills `out` from the corpus's random stream.
struct HostileKinds {
  using Make = Bytes (*)(HostileCorpus&);
  using Kind = std::pair<std::string_view, Make>;

  static Plan plan(HostileCorpus& c) {
    const HostileHost& target = c.below(8) == 0 ? c.world_.gateway : c.other();
    const bool v4 = c.below(2) == 0;
    Plan p;
    p.to = c.world_.gateway.mac;
    p.from = c.world_.self.mac;
    p.source = v4 ? c.world_.self.v4 : c.world_.self.v6;
    p.destination = v4 ? target.v4 : target.v6;
    static constexpr std::array<std::uint8_t, 4> kProtocols{6, 6, 17, 0};
    p.protocol = kProtocols[c.below(4)];
    if (p.protocol == 0) p.protocol = v4 ? 1 : 58;
    p.source_port = static_cast<std::uint16_t>(1 + c.below(65535));
    static constexpr std::array<std::uint16_t, 12> kPorts{22,  53,  67,   80,   123,   443,
                                                          502, 802, 1883, 8883, 40000, 49151};
    p.destination_port =
        c.below(2) == 0 ? kPorts[c.below(12)] : static_cast<std::uint16_t>(1 + c.below(65535));
    p.payload = c.below(64);
    return p;
  }
  static Plan plan_of(HostileCorpus& c, bool v4, std::uint8_t protocol) {
    Plan p = plan(c);
    const HostileHost& target = c.other();
    p.source = v4 ? c.world_.self.v4 : c.world_.self.v6;
    p.destination = v4 ? target.v4 : target.v6;
    p.protocol = protocol;
    return p;
  }

  static Bytes any_ethertype(HostileCorpus& c) {
    Bytes f = build(plan(c));
    static constexpr std::array<std::uint16_t, 16> kTypes{
        0x0000, 0x0027, 0x05dc, 0x0600, 0x0801, 0x8035, 0x809b, 0x8137,
        0x8808, 0x8809, 0x8847, 0x8863, 0x888e, 0x88cc, 0x88f7, 0x9000};
    put16(f, 12, c.below(2) == 0 ? kTypes[c.below(16)] : c.below(65536));
    if (const std::uint32_t type = get16(f, 12); type == 0x0800 || type == 0x86dd || type == 0x0806)
      put16(f, 12, 0x88b5);
    return f;
  }
  static Bytes link_control(HostileCorpus& c) {
    Bytes f = build(plan(c));
    static constexpr std::array<std::array<std::uint8_t, 6>, 4> kGroups{
        {{0x01, 0x80, 0xc2, 0, 0, 0x00},
         {0x01, 0x80, 0xc2, 0, 0, 0x0e},
         {0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc},
         {0x01, 0x80, 0xc2, 0, 0, 0x03}}};
    std::ranges::copy(kGroups[c.below(4)], f.begin());
    put16(f, 12, 38);  // LLC
    f[14] = f[15] = 0x42;
    f[16] = 0x03;
    return f;
  }
  static Bytes runt(HostileCorpus& c) {
    Bytes f = build(plan(c));
    f.resize(c.below(static_cast<std::uint32_t>(transport_at(f))));
    return f;
  }
  static Bytes giant(HostileCorpus& c) {
    Plan p = plan(c);
    p.payload = 1501 + c.below(7400);
    return build(p);
  }
  static Bytes vlan_edge(HostileCorpus& c) {
    Bytes f = build(plan(c));
    insert_tag(f, 0x8100, (c.below(2) == 0 ? 0U : 4095U) | c.below(8) << 13);
    return f;
  }
  static Bytes vlan_hop(HostileCorpus& c) {
    Bytes f = build(plan(c));
    insert_tag(f, 0x8100, 1 + c.below(4094));
    return f;
  }
  static Bytes qinq(HostileCorpus& c) {
    Bytes f = build(plan(c));
    insert_tag(f, 0x8100, c.below(4096));
    insert_tag(f, c.below(2) == 0 ? 0x88a8 : 0x8100, c.below(4096));
    return f;
  }
  static Bytes vlan_cut(HostileCorpus& c) {
    Bytes f = build(plan(c));
    insert_tag(f, 0x8100, c.below(4096));
    f.resize(14 + c.below(4));
    return f;
  }
  static Bytes bad_source_mac(HostileCorpus& c) {
    Bytes f = build(plan(c));
    switch (c.below(4)) {
      case 0:
        f[6] |= 1;
        break;
      case 1:
        std::fill_n(f.begin() + 6, 6, std::uint8_t{0});
        break;
      case 2:
        std::fill_n(f.begin() + 6, 6, std::uint8_t{0xff});
        break;
      default:
        std::ranges::copy(c.world_.gateway.mac.bytes(), f.begin() + 6);
    }
    return f;
  }
  static Bytes unknown_mac(HostileCorpus& c) {
    Bytes f = build(plan(c));
    for (std::size_t i = 6; i < 12; ++i) f[i] = c.byte();
    f[6] = static_cast<std::uint8_t>((f[6] & 0xfcU) | 2U);
    return f;
  }
  static Bytes stolen_mac(HostileCorpus& c) {
    Plan p = plan(c);
    const HostileHost& victim = c.other();
    p.from = victim.mac;
    p.source = p.source.is_v4() ? victim.v4 : victim.v6;
    return build(p);
  }
  static Bytes other_destination_mac(HostileCorpus& c) {
    Plan p = plan(c);
    p.to = c.other().mac;
    return build(p);
  }
  static Bytes broadcast(HostileCorpus& c) {
    Plan p = plan(c);
    p.to = MacAddress::broadcast();
    if (p.source.is_v4())
      p.destination = IpAddress::v4(c.below(2) == 0 ? 0xffffffff : 0xe0000000 + c.below(1 << 24));
    return build(p);
  }
  static Bytes multicast6(HostileCorpus& c) {
    Plan p = plan_of(c, false, 17);
    p.to = MacAddress({0x33, 0x33, 0, 0, 0, static_cast<std::uint8_t>(c.below(256))});
    std::array<std::uint8_t, 16> a{0xff, static_cast<std::uint8_t>(c.below(256))};
    a[15] = c.byte();
    p.destination = IpAddress::v6(a);
    return build(p);
  }
  static Bytes version_mismatch(HostileCorpus& c) {
    Bytes f = build(plan(c));
    const std::uint32_t version = c.below(16);
    f[kEthernet] = static_cast<std::uint8_t>((f[kEthernet] & 0x0fU) | version << 4);
    if (version == (is_v4(f) ? 4U : 6U)) put16(f, 12, is_v4(f) ? 0x86dd : 0x0800);
    return f;
  }
  static Bytes ipv4_options(HostileCorpus& c) {
    Bytes f = build(plan_of(c, true, 6));
    const std::uint32_t words = 1 + c.below(10);
    Bytes options(4 * words, 1);
    static constexpr std::array<std::uint8_t, 6> kOptions{7, 68, 131, 137, 148, 130};
    options[0] = kOptions[c.below(6)];
    options[1] = static_cast<std::uint8_t>(c.below(2) == 0 ? 4 * words : c.byte());
    f.insert(f.begin() + kEthernet + kIpv4, options.begin(), options.end());
    f[kEthernet] = static_cast<std::uint8_t>(0x45 + words);
    put16(f, kEthernet + 2, static_cast<std::uint32_t>(f.size() - kEthernet));
    refresh_ipv4_sum(f, kIpv4 + 4 * words);
    return f;
  }
  static Bytes ipv4_header_length(HostileCorpus& c) {
    Bytes f = build(plan_of(c, true, 6));
    std::uint32_t words = c.below(15);
    if (words >= 5) ++words;
    f[kEthernet] = static_cast<std::uint8_t>(0x40 | words);
    refresh_ipv4_sum(f);
    return f;
  }
  static Bytes total_length(HostileCorpus& c) {
    Bytes f = build(plan(c));
    const std::size_t field = kEthernet + (is_v4(f) ? 2 : 4);
    const std::uint32_t right = get16(f, field);
    put16(f, field,
          c.below(2) == 0 ? right + 1 + c.below(60000 - right) : c.below(is_v4(f) ? 20 : 8));
    if (is_v4(f)) refresh_ipv4_sum(f);
    return f;
  }
  static Bytes ipv4_checksum(HostileCorpus& c) {
    Bytes f = build(plan_of(c, true, 17));
    put16(f, kEthernet + 10, get16(f, kEthernet + 10) ^ (1 + c.below(0xfffe)));
    return f;
  }
  static Bytes reserved_flag(HostileCorpus& c) {
    Bytes f = build(plan_of(c, true, 6));
    f[kEthernet + 6] |= 0x80;
    refresh_ipv4_sum(f);
    return f;
  }
  static Bytes fragment4(HostileCorpus& c, std::uint32_t offset_words, bool more,
                         std::size_t payload) {
    Plan p = plan_of(c, true, c.below(2) == 0 ? 6 : 17);
    p.payload = payload;
    Bytes f = build(p);
    put16(f, kEthernet + 4,
          c.below(4));  // few ids, so that fragments of one packet meet and overlap
    put16(f, kEthernet + 6, offset_words | (more ? 0x2000U : 0U));
    refresh_ipv4_sum(f);
    return f;
  }
  static Bytes fragment_first(HostileCorpus& c) { return fragment4(c, 0, true, 8 * c.below(20)); }
  static Bytes fragment_later(HostileCorpus& c) {
    return fragment4(c, 1 + c.below(8191), c.below(2) == 0, c.below(200));
  }
  static Bytes fragment_tiny(HostileCorpus& c) {
    Bytes f = fragment4(c, c.below(2), true, 0);
    f.resize(kEthernet + kIpv4 + 1 + c.below(8));
    put16(f, kEthernet + 2, static_cast<std::uint32_t>(f.size() - kEthernet));
    refresh_ipv4_sum(f);
    return f;
  }
  static Bytes fragment_overlap(HostileCorpus& c) {
    return fragment4(c, 1 + c.below(3), c.below(2) == 0, 16 + c.below(64));
  }
  static Bytes fragment6(HostileCorpus& c) {
    Bytes f = build(plan_of(c, false, c.below(2) == 0 ? 6 : 17));
    Bytes header(8);
    put16(header, 2, c.below(8192) << 3 | c.below(2));
    header[7] = static_cast<std::uint8_t>(c.below(4));
    insert_extension(f, 44, header);
    return f;
  }
  static Bytes extension_chain(HostileCorpus& c) {
    Bytes f = build(plan_of(c, false, c.below(2) == 0 ? 6 : 17));
    static constexpr std::array<std::uint8_t, 8> kHeaders{0, 43, 44, 50, 51, 60, 135, 139};
    const std::uint32_t depth = 1 + c.below(12);
    for (std::uint32_t i = 0; i < depth; ++i) {
      Bytes header(8 + 8 * c.below(3));
      for (std::uint8_t& b : header) b = c.byte();
      header[1] = static_cast<std::uint8_t>(c.below(4) == 0 ? c.byte() : header.size() / 8 - 1);
      insert_extension(f, kHeaders[c.below(8)], header);
    }
    return f;
  }
  static Bytes routing_header(HostileCorpus& c) {
    Bytes f = build(plan_of(c, false, 6));
    Bytes header(24);
    header[1] = 2;
    header[2] = static_cast<std::uint8_t>(c.below(5));
    header[3] = static_cast<std::uint8_t>(c.below(3));
    std::ranges::copy(c.other().v6.bytes(), header.begin() + 8);
    insert_extension(f, 43, header);
    return f;
  }
  static Bytes ttl(HostileCorpus& c) {
    Bytes f = build(plan(c));
    f[kEthernet + (is_v4(f) ? 8 : 7)] = static_cast<std::uint8_t>(c.below(2));
    if (is_v4(f)) refresh_ipv4_sum(f);
    return f;
  }
  static Bytes land(HostileCorpus& c) {
    Plan p = plan(c);
    const HostileHost& target = c.below(2) == 0 ? c.world_.self : c.other();
    p.source = p.destination = p.source.is_v4() ? target.v4 : target.v6;
    p.destination_port = p.source_port;
    return build(p);
  }
  static Bytes spoofed_source(HostileCorpus& c) {
    Plan p = plan(c);
    const HostileHost& victim = c.below(4) == 0 ? c.world_.gateway : c.other();
    p.source =
        p.source.is_v4()
            ? (c.below(2) == 0 ? victim.v4 : IpAddress::v4(static_cast<std::uint32_t>(c.random_())))
            : victim.v6;
    return build(p);
  }
  static Bytes martian(HostileCorpus& c) {
    static constexpr std::array<std::uint32_t, 8> k4{
        0, 0x7f000001, 0xa9fe0101, 0xe0000001, 0xf0000001, 0xffffffff, 0xc0000201, 0x00000001};
    static constexpr std::array<std::array<std::uint8_t, 2>, 6> k6{
        {{0, 0}, {0xff, 2}, {0xfe, 0x80}, {0x20, 2}, {0xfe, 0xc0}, {1, 0}}};
    Plan p = plan(c);
    IpAddress odd = IpAddress::v4(k4[c.below(8)]);
    if (!p.source.is_v4()) {
      std::array<std::uint8_t, 16> a{};
      std::ranges::copy(k6[c.below(6)], a.begin());
      a[15] = static_cast<std::uint8_t>(c.below(3));
      odd = IpAddress::v6(a);
    }
    (c.below(2) == 0 ? p.source : p.destination) = odd;
    return build(p);
  }
  static Bytes any_protocol(HostileCorpus& c) {
    Plan p = plan(c);
    p.protocol = c.byte();
    p.payload = 24 + c.below(40);
    return build(p);
  }
  static Bytes transport_cut(HostileCorpus& c) {
    Bytes f = build(plan(c));
    f.resize(transport_at(f) + c.below(8));
    if (is_v4(f)) {
      put16(f, kEthernet + 2, static_cast<std::uint32_t>(f.size() - kEthernet));
      refresh_ipv4_sum(f);
    } else {
      put16(f, kEthernet + 4, static_cast<std::uint32_t>(f.size() - kEthernet - kIpv6));
    }
    return f;
  }
  static Bytes tcp_offset(HostileCorpus& c) {
    Bytes f = build(plan_of(c, c.below(2) == 0, 6));
    f[transport_at(f) + 12] = static_cast<std::uint8_t>(c.below(16) << 4);
    return f;
  }
  static Bytes udp_length(HostileCorpus& c) {
    Bytes f = build(plan_of(c, c.below(2) == 0, 17));
    put16(f, transport_at(f) + 4, c.below(2) == 0 ? c.below(8) : 2000 + c.below(60000));
    return f;
  }
  static Bytes transport_checksum(HostileCorpus& c) {
    Plan p = plan(c);
    Bytes f = build(p);
    f[transport_at(f) + (p.protocol == 6 ? 16 : p.protocol == 17 ? 6 : 2)] ^= 0x55;
    return f;
  }
  static Bytes every_tcp_flag_set(HostileCorpus& c) {
    Plan p = plan_of(c, c.turn_ / kinds.size() / 256 % 2 == 0, 6);
    p.tcp_flags = static_cast<std::uint8_t>(c.turn_ / kinds.size());  // all 256 in turn
    return build(p);
  }
  static Bytes port_zero(HostileCorpus& c) {
    Plan p = plan_of(c, c.below(2) == 0, c.below(2) == 0 ? 6 : 17);
    (c.below(2) == 0 ? p.source_port : p.destination_port) = 0;
    return build(p);
  }
  static Bytes listener_port(HostileCorpus& c) {
    Plan p = plan_of(c, c.below(2) == 0, 6);
    p.destination = p.source.is_v4() ? c.world_.gateway.v4 : c.world_.gateway.v6;
    p.destination_port = static_cast<std::uint16_t>(40000 + c.below(9152));
    return build(p);
  }
  static Bytes icmp_any(HostileCorpus& c) {
    const bool v4 = c.below(2) == 0;
    Bytes f = build(plan_of(c, v4, v4 ? 1 : 58));
    f[transport_at(f)] = c.byte();
    f[transport_at(f) + 1] = c.byte();
    seal(f);
    return f;
  }
  static Bytes icmp_error(HostileCorpus& c) {
    const bool v4 = c.below(2) == 0;
    Plan quoted = plan_of(c, v4, c.below(2) == 0 ? 6 : 17);
    std::swap(quoted.source, quoted.destination);
    const Bytes inner = build(quoted);
    Bytes f = build(plan_of(c, v4, v4 ? 1 : 58));
    static constexpr std::array<std::uint8_t, 5> k4{3, 4, 5, 11, 12};
    f[transport_at(f)] = v4 ? k4[c.below(5)] : static_cast<std::uint8_t>(1 + c.below(4));
    f.resize(transport_at(f) + 8);
    f.insert(f.end(), inner.begin() + kEthernet,
             inner.begin() + kEthernet +
                 static_cast<long>(c.below(static_cast<std::uint32_t>(inner.size() - kEthernet))));
    seal(f);
    return f;
  }
  static Bytes neighbour(HostileCorpus& c) {
    Plan p = plan_of(c, false, 58);
    p.payload = 16 + c.below(17);
    Bytes f = build(p);
    const std::size_t at = transport_at(f);
    f[at] = static_cast<std::uint8_t>(133 + c.below(5));
    f[at + 1] = static_cast<std::uint8_t>(c.below(8) == 0 ? 1 : 0);
    f[kEthernet + 7] = c.below(4) == 0 ? 64 : 255;
    const HostileHost& victim = c.below(2) == 0 ? c.other() : c.world_.gateway;
    std::ranges::copy(victim.v6.bytes(), f.begin() + static_cast<long>(at) + 8);
    if (f.size() >= at + 32) {
      f[at + 24] = static_cast<std::uint8_t>(1 + c.below(2));
      f[at + 25] = static_cast<std::uint8_t>(c.below(3));
    }
    seal(f);
    return f;
  }
  static Bytes arp(HostileCorpus& c) {
    Bytes f;
    append(f, c.below(2) == 0 ? MacAddress::broadcast().bytes() : c.world_.gateway.mac.bytes());
    append(f, c.world_.self.mac.bytes());
    append(f, std::array<std::uint8_t, 10>{0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0,
                                           static_cast<std::uint8_t>(c.below(4))});
    const HostileHost& claimed = c.other();
    append(f, claimed.mac.bytes());
    append(f, std::span(claimed.v4.bytes()).subspan(12));
    append(f, c.other().mac.bytes());
    append(f, std::span((c.below(2) == 0 ? claimed : c.world_.gateway).v4.bytes()).subspan(12));
    if (c.below(4) == 0) f[14 + c.below(8)] ^= static_cast<std::uint8_t>(1 + c.below(255));
    if (c.below(8) == 0) f.resize(14 + c.below(28));
    f.resize(std::max<std::size_t>(f.size(), c.below(2) == 0 ? 60 : 0));
    return f;
  }
  static Bytes dhcp_server(HostileCorpus& c) {
    Plan p = plan_of(c, true, 17);
    p.to = MacAddress::broadcast();
    p.source_port = 67;
    p.destination_port = 68;
    p.destination = IpAddress::v4(0xffffffff);
    p.payload = 240 + c.below(300);
    return build(p);
  }
  static Bytes noise(HostileCorpus& c) {
    Bytes f(c.below(1515));
    for (std::uint8_t& b : f) b = c.byte();
    return f;
  }
  static Bytes bit_rot(HostileCorpus& c) {
    Bytes f = build(plan(c));
    const std::uint32_t flips = 1 + c.below(8);
    for (std::uint32_t i = 0; i < flips; ++i)
      f[12 + c.below(static_cast<std::uint32_t>(f.size() - 12))] ^=
          static_cast<std::uint8_t>(1U << c.below(8));
    return f;
  }
  static Bytes plain(HostileCorpus& c) { return build(plan(c)); }

  static constexpr auto kinds = std::to_array<Kind>({
      {"any-ethertype", any_ethertype},
      {"link-control", link_control},
      {"runt", runt},
      {"giant", giant},
      {"vlan-edge", vlan_edge},
      {"vlan-hop", vlan_hop},
      {"qinq", qinq},
      {"vlan-cut", vlan_cut},
      {"bad-source-mac", bad_source_mac},
      {"unknown-mac", unknown_mac},
      {"stolen-mac", stolen_mac},
      {"other-destination-mac", other_destination_mac},
      {"broadcast", broadcast},
      {"multicast6", multicast6},
      {"version-mismatch", version_mismatch},
      {"ipv4-options", ipv4_options},
      {"ipv4-header-length", ipv4_header_length},
      {"total-length", total_length},
      {"ipv4-checksum", ipv4_checksum},
      {"reserved-flag", reserved_flag},
      {"fragment-first", fragment_first},
      {"fragment-later", fragment_later},
      {"fragment-tiny", fragment_tiny},
      {"fragment-overlap", fragment_overlap},
      {"fragment6", fragment6},
      {"extension-chain", extension_chain},
      {"routing-header", routing_header},
      {"ttl", ttl},
      {"land", land},
      {"spoofed-source", spoofed_source},
      {"martian", martian},
      {"any-protocol", any_protocol},
      {"transport-cut", transport_cut},
      {"tcp-offset", tcp_offset},
      {"udp-length", udp_length},
      {"transport-checksum", transport_checksum},
      {"every-tcp-flag-set", every_tcp_flag_set},
      {"port-zero", port_zero},
      {"listener-port", listener_port},
      {"icmp-any", icmp_any},
      {"icmp-error", icmp_error},
      {"neighbour", neighbour},
      {"arp", arp},
      {"dhcp-server", dhcp_server},
      {"noise", noise},
      {"bit-rot", bit_rot},
      {"plain", plain},
  });
  static constexpr auto names = [] {
    std::array<std::string_view, kinds.size()> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = kinds[i].first;
    return out;
  }();
};

HostileCorpus::HostileCorpus(std::uint64_t seed, HostileWorld world)
    : random_(seed), world_(std::move(world)) {}

const HostileFrame& HostileCorpus::next() {
  const auto& [name, make] = HostileKinds::kinds[turn_ % HostileKinds::kinds.size()];
  frame_.kind = name;
  frame_.bytes = make(*this);
  ++turn_;
  return frame_;
}

std::span<const std::string_view> HostileCorpus::kinds() { return HostileKinds::names; }

}  // namespace sallyport::testing
