#include "policy/explain/question.h"

#include <fmt/format.h>

#include <charconv>

namespace sallyport::explain {
namespace {

constexpr std::uint16_t kUsualSourcePort = 40000;
constexpr std::uint16_t kEcho4 = 8;    // RFC 792
constexpr std::uint16_t kEcho6 = 128;  // RFC 4443
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t limit) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > limit)
    return std::nullopt;
  return value;
}

std::unexpected<Error> wrong(std::string_view key, std::string_view value, std::string_view want) {
  return fail(ErrorKind::kUsage, "bad-question",
              fmt::format("{} cannot be '{}'; write {}", key, value, want));
}

struct Reader {
  const wire::SnapshotView& snapshot;
  Question question{};
  bool has_source = false;
  bool has_destination = false;
  bool has_source_port = false;
  std::optional<std::uint8_t> protocol{};
  std::optional<std::uint16_t> destination_port{};

  Result<void> place(std::string_view key, std::string_view value) {
    if (key == "in") {
      const wire::Segment* segment = snapshot.segment(value);
      if (segment == nullptr) return wrong(key, value, "the name of a segment in force");
      question.segment = segment->slot();
    } else if (key == "host") {
      if (value != "yes") return wrong(key, value, "yes");
      question.origin = decide::Origin::kHostStack;
    } else if (key == "port") {
      const wire::Port* port = snapshot.port(value);
      if (port == nullptr) return wrong(key, value, "the name of a port in force");
      question.port = port->slot();
    } else if (key == "vlan") {
      const auto vlan = number(value, 4094);
      if (!vlan) return wrong(key, value, "a VLAN from 0 to 4094");
      question.vlan = static_cast<std::uint16_t>(*vlan);
    } else {
      const auto mac = MacAddress::parse(value);
      if (!mac) return wrong(key, value, "a MAC address such as 02:00:00:00:20:05");
      question.mac = *mac;
    }
    return {};
  }

  Result<void> packet(std::string_view key, std::string_view value) {
    if (key == "source" || key == "destination") {
      const auto address = IpAddress::parse(value);
      if (!address) return wrong(key, value, "an address such as 10.20.0.5 or fd00:20::5");
      (key == "source" ? question.tuple.source : question.tuple.destination) = *address;
      (key == "source" ? has_source : has_destination) = true;
    } else if (key == "protocol") {
      protocol = parse_protocol(value);
      if (!protocol) return wrong(key, value, "tcp, udp, icmp, icmpv6 or a number up to 255");
    } else if (key == "flags") {
      const auto flags = parse_tcp_flags(value);
      if (!flags) return wrong(key, value, "letters of FSRPAUEC, such as S or SA");
      question.tcp_flags = *flags;
    } else {
      const auto port = number(value, 65535);
      if (!port) return wrong(key, value, "a port from 0 to 65535");
      if (key == "source_port") {
        question.tuple.source_port = static_cast<std::uint16_t>(*port);
        has_source_port = true;
      }
      if (key == "destination_port") destination_port = static_cast<std::uint16_t>(*port);
    }
    return {};
  }

  Result<void> numbers(std::string_view key, std::string_view value) {
    const bool size = key == "size";
    const auto parsed = number(value, size ? 65535 : UINT32_MAX);
    if (!parsed)
      return wrong(key, value, size ? "a number up to 65535" : "a number up to 4294967295");
    if (size) question.size = static_cast<std::uint16_t>(*parsed);
    if (key == "sequence") question.sequence = parsed;
    if (key == "acknowledgement") question.acknowledgement = parsed;
    return {};
  }

  Result<void> word(std::string_view text) {
    const std::size_t mark = text.find('=');
    const std::string_view key = text.substr(0, mark);
    const std::string_view value = mark == text.npos ? "" : text.substr(mark + 1);
    for (const std::string_view known : {"in", "host", "port", "vlan", "mac"})
      if (key == known) return place(key, value);
    for (const std::string_view known :
         {"source", "destination", "protocol", "source_port", "destination_port", "flags"})
      if (key == known) return packet(key, value);
    for (const std::string_view known : {"sequence", "acknowledgement", "size"})
      if (key == known) return numbers(key, value);
    if (key != "name") return wrong("a question", key, "in, source, destination, protocol, ...");
    question.names.emplace_back(value);
    return {};
  }

  Result<Question> finish() {
    const auto missing = [](std::string_view what) {
      return fail(ErrorKind::kUsage, "bad-question", fmt::format("'{}=' is missing", what));
    };
    if (question.segment == wire::kNowhere) return missing("in");
    if (!has_source) return missing("source");
    if (!has_destination) return missing("destination");
    if (!protocol) return missing("protocol");
    const bool v4 = question.tuple.source.is_v4();
    if (v4 != question.tuple.destination.is_v4())
      return wrong("destination", question.tuple.destination.to_string(),
                   "an address of the source's IP version");
    const bool echo = *protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp) ||
                      *protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp6);
    if (echo) {
      question.tuple.protocol =
          static_cast<std::uint8_t>(v4 ? IpProtocol::kIcmp : IpProtocol::kIcmp6);
      question.tuple.destination_port = v4 ? kEcho4 : kEcho6;
      return question;
    }
    question.tuple.protocol = *protocol;
    if (*protocol != kTcp && *protocol != kUdp) return question;
    if (!destination_port) return missing("destination_port");
    question.tuple.destination_port = *destination_port;
    if (!has_source_port) question.tuple.source_port = kUsualSourcePort;
    return question;
  }
};

}  // namespace

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  if (text == "tcp") return kTcp;
  if (text == "udp") return kUdp;
  if (text == "icmp") return static_cast<std::uint8_t>(IpProtocol::kIcmp);
  if (text == "icmpv6") return static_cast<std::uint8_t>(IpProtocol::kIcmp6);
  const auto value = number(text, 255);
  return value ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
}

Result<Question> parse_question(const wire::SnapshotView& snapshot,
                                std::span<const std::string> words) {
  Reader reader{.snapshot = snapshot};
  for (const std::string& word : words) SALLYPORT_TRY_VOID(reader.word(word));
  return reader.finish();
}

}  // namespace sallyport::explain
