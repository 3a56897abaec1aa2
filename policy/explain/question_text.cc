#include <fmt/format.h>

#include "policy/explain/question.h"

namespace sallyport::explain {
namespace {

bool is_ported(std::uint8_t protocol) {
  return protocol == static_cast<std::uint8_t>(IpProtocol::kTcp) ||
         protocol == static_cast<std::uint8_t>(IpProtocol::kUdp);
}

bool is_echo(std::uint8_t protocol) {
  return protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp) ||
         protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp6);
}

// Those of a first packet go without saying.
bool has_flags(const Question& q) {
  return q.tuple.protocol == static_cast<std::uint8_t>(IpProtocol::kTcp) && q.tcp_flags != kTcpSyn;
}

std::string protocol_text(std::uint8_t protocol) {
  return is_ported(protocol) || is_echo(protocol)
             ? std::string(to_string(static_cast<IpProtocol>(protocol)))
             : fmt::format("{}", protocol);
}

std::string segment_text(const wire::SnapshotView& snapshot, std::uint16_t slot) {
  const wire::Segment* segment = snapshot.segment(slot);
  return segment == nullptr ? std::string("nowhere") : std::string(wire::text(segment->name()));
}

}  // namespace

std::string endpoint_text(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

std::string packet_text(const decide::Tuple& t) {
  if (is_ported(t.protocol))
    return fmt::format("{} {} > {}", protocol_text(t.protocol),
                       endpoint_text(t.source, t.source_port),
                       endpoint_text(t.destination, t.destination_port));
  if (is_echo(t.protocol))
    return fmt::format("{} {} > {} type {}", protocol_text(t.protocol), t.source.to_string(),
                       t.destination.to_string(), t.destination_port);
  return fmt::format("protocol {} {} > {}", t.protocol, t.source.to_string(),
                     t.destination.to_string());
}

std::string sentence_of(const wire::SnapshotView& snapshot, const Question& q) {
  std::string out = packet_text(q.tuple);
  if (has_flags(q)) out += " [" + tcp_flags_text(q.tcp_flags) + "]";
  for (const std::string& name : q.names) out += fmt::format(" ({})", name);
  out += q.origin == decide::Origin::kHostStack ? " from the host stack of " : " in ";
  out += segment_text(snapshot, q.segment);
  if (q.mac) out += fmt::format(" with MAC {}", q.mac->to_string());
  if (q.port) {
    const wire::Port* port = snapshot.port(*q.port);
    out += fmt::format(" on {}", port == nullptr ? std::string_view("a port that is not there")
                                                 : wire::text(port->name()));
    if (q.vlan != 0) out += fmt::format(" VLAN {}", q.vlan);
  }
  return out;
}

std::vector<std::string> words_of(const wire::SnapshotView& snapshot, const Question& q) {
  std::vector<std::string> out = {"in=" + segment_text(snapshot, q.segment)};
  if (q.origin == decide::Origin::kHostStack) out.emplace_back("host=yes");
  if (const wire::Port* port = q.port ? snapshot.port(*q.port) : nullptr)
    out.push_back(fmt::format("port={}", wire::text(port->name())));
  if (q.vlan != 0) out.push_back(fmt::format("vlan={}", q.vlan));
  if (q.mac) out.push_back("mac=" + q.mac->to_string());
  out.push_back("source=" + q.tuple.source.to_string());
  out.push_back("destination=" + q.tuple.destination.to_string());
  out.push_back("protocol=" + protocol_text(q.tuple.protocol));
  if (is_ported(q.tuple.protocol)) {
    out.push_back(fmt::format("source_port={}", q.tuple.source_port));
    out.push_back(fmt::format("destination_port={}", q.tuple.destination_port));
  }
  if (has_flags(q)) out.push_back("flags=" + tcp_flags_text(q.tcp_flags));
  if (q.sequence) out.push_back(fmt::format("sequence={}", *q.sequence));
  if (q.acknowledgement) out.push_back(fmt::format("acknowledgement={}", *q.acknowledgement));
  if (q.size != 0) out.push_back(fmt::format("size={}", q.size));
  for (const std::string& name : q.names) out.push_back("name=" + name);
  return out;
}

std::string command_line_of(const wire::SnapshotView& snapshot, const Question& q) {
  std::string out = "--in " + segment_text(snapshot, q.segment);
  if (q.origin == decide::Origin::kHostStack) out += " --host";
  if (const wire::Port* port = q.port ? snapshot.port(*q.port) : nullptr)
    out += fmt::format(" --port {}", wire::text(port->name()));
  if (q.vlan != 0) out += fmt::format(" --vlan {}", q.vlan);
  if (q.mac) out += " --mac " + q.mac->to_string();
  if (q.sequence) out += fmt::format(" --sequence {}", *q.sequence);
  if (q.acknowledgement) out += fmt::format(" --acknowledgement {}", *q.acknowledgement);
  if (q.size != 0) out += fmt::format(" --size {}", q.size);
  for (const std::string& name : q.names) out += " --name " + name;
  const bool ported = is_ported(q.tuple.protocol);
  return out + fmt::format(" {} {} {}{}",
                           ported ? endpoint_text(q.tuple.source, q.tuple.source_port)
                                  : q.tuple.source.to_string(),
                           ported ? endpoint_text(q.tuple.destination, q.tuple.destination_port)
                                  : q.tuple.destination.to_string(),
                           protocol_text(q.tuple.protocol),
                           has_flags(q) ? " " + tcp_flags_text(q.tcp_flags) : "");
}

}  // namespace sallyport::explain
