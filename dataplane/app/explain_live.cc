#include "dataplane/app/explain_live.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "dataplane/app/filter.h"
#include "dataplane/stages/classify.h"
#include "dataplane/stages/rewrite.h"
#include "policy/explain/explain.h"
#include "policy/explain/question.h"

namespace sallyport::dataplane {
namespace {

using Json = nlohmann::json;

FlowKey key_of(const decide::Tuple& t) {
  const bool ports = t.protocol == static_cast<std::uint8_t>(IpProtocol::kTcp) ||
                     t.protocol == static_cast<std::uint8_t>(IpProtocol::kUdp);
  return {t.source, t.destination, t.source_port, ports ? t.destination_port : t.source_port,
          static_cast<IpProtocol>(t.protocol)};
}

// What is not asked of is what this side would send next.
TcpSegment segment_of(const explain::Question& q, const TcpTrack& tcp, Direction from) {
  const auto side = static_cast<std::size_t>(from);
  return {.sequence = q.sequence.value_or(tcp.end[side]),
          .acknowledgement = q.acknowledgement.value_or(tcp.end[side ^ 1]),
          .size = q.size,
          .flags = q.tcp_flags};
}

// A copy of the flow that the packet belongs to, and what the packet would meet there. Nothing is
// changed. Between bursts.
struct Found {
  Opening copy;
  Direction direction = Direction::kFromClient;
  std::optional<Drop> refused;
  bool reopens = false;
};
std::optional<Found> find_flow(const explain::Question& question, Pipeline& p, Instant now) {
  const FlowMatch match = p.flows().find(key_of(question.tuple));
  if (!match) return std::nullopt;
  Found out{{*match.flow, p.flows().stand_in(*match.flow)}, match.direction, {}, false};
  Flow looked_at = *match.flow;
  const bool echo =
      looked_at.protocol == IpProtocol::kIcmp || looked_at.protocol == IpProtocol::kIcmp6;
  const bool from_client = out.direction == Direction::kFromClient;
  // The question is an echo request: the server's would start a flow of its own.
  if (echo && !from_client) return std::nullopt;
  if (p.tables() == nullptr ||
      !still_allowed(looked_at, out.copy.stand_in, *p.tables(), p.names(), now)) {
    out.refused = Drop::kRevoked;
  } else if (looked_at.protocol == IpProtocol::kTcp) {
    const TcpVerdict verdict = tcp_advance(
        looked_at.tcp, segment_of(question, looked_at.tcp, out.direction), out.direction);
    out.reopens = verdict == TcpVerdict::kReopen;
    out.refused = drop_reason(verdict);
  }
  return out;
}

explain::OpenFlow told(const Found& found, const QueryContext& context) {
  const Flow& f = found.copy.flow;
  explain::OpenFlow out;
  out.from_client = found.direction == Direction::kFromClient;
  out.state = "open";
  if (f.protocol == IpProtocol::kTcp) {
    const auto side = static_cast<std::size_t>(found.direction);
    out.state = kTcpStateNames[static_cast<std::size_t>(f.tcp.state)];
    out.next = fmt::format("sequence {} acknowledging {} would be next", f.tcp.end[side],
                           f.tcp.end[side ^ 1]);
  }
  out.rule = f.rule;
  out.revision = context.tables->revision();  // by find_flow() just now
  out.refused = found.refused;
  out.reopens = found.reopens;
  if (f.rewritten()) {
    const Rewriting r = rewriting(f, found.copy.stand_in, found.direction);
    out.rewrite = fmt::format("{} becomes {}", r.source ? "source" : "destination",
                              explain::endpoint_text(r.address, r.port));
  }
  const bool to_host = (f.flags & (out.from_client ? kServerIsHost : kClientIsHost)) != 0;
  out.egress =
      (to_host ? "host stack of " : "") + segment_name(f.to(found.direction).segment(), context);
  return out;
}

// What the pipeline knows of the packet in question.
struct Looked {
  std::optional<Found> found;
  std::vector<std::uint32_t> names;  // classes under which the destination was learned
  explain::Live live;
};
Looked look(const explain::Question& question, const OnOwner& on_owner,
            const QueryContext& context) {
  Looked out;
  const auto between_bursts = [&](const std::function<void(Pipeline&)>& work) {
    on_owner(key_of(question.tuple), work);
  };
  out.live.admission = [&question, between_bursts, &context](RuleSlot slot) {
    explain::Admission now;
    const wire::Rule& rule = context.tables->view().rules()[slot];
    now.bound = rule.inflight() == 0 ? Credits::kDefaultInFlight : rule.inflight();
    between_bursts([&](Pipeline& p) {
      now.in_flight = p.credits().in_flight(slot);
      now.admits = p.credits().has_room(
          slot, rule.inflight(),
          wire::connection_id(question.tuple.source, question.tuple.source_port,
                              rule.listener_port()));
    });
    return now;
  };
  out.live.mapping = [between_bursts](SegmentSlot uplink, IpProtocol protocol, DeviceSlot device) {
    std::optional<Drop> refused;
    between_bursts(
        [&](Pipeline& p) { refused = p.mappings().would_refuse(uplink, protocol, device); });
    return refused;
  };
  out.live.place = [between_bursts, &context](DeviceSlot device) {
    std::optional<Drop> refused;
    between_bursts([&](Pipeline& p) {
      if (p.tables() != nullptr)
        refused = p.flows().would_refuse(device, silent_for(*p.tables(), context.now));
    });
    return refused;
  };
  between_bursts([&](Pipeline& p) {
    out.found = find_flow(question, p, context.now);
    p.names().any_class(question.tuple.destination, context.now, [&](std::uint32_t one) {
      out.names.push_back(one);
      return false;
    });
  });
  if (out.found) out.live.flow = told(*out.found, context);
  return out;
}

Json explained(explain::Question question, const QueryContext& context, const OnOwner& on_owner) {
  const wire::SnapshotView& view = context.tables->view();
  const Looked looked = look(question, on_owner, context);
  for (const wire::Name* name : *view.root().names())
    if (std::ranges::find(looked.names, name->destination_class()) != looked.names.end())
      question.names.push_back(name->name()->str());
  Json answer = Json::parse(explain::to_json(explain::explain(view, question, &looked.live)));
  answer["flow"] = looked.found ? flow_row(looked.found->copy, context) : Json();
  return answer;
}

Json without_snapshot() {
  return {{"decision", "deny"},
          {"reason", to_string(Drop::kNoSnapshot)},
          {"help", kDropInfo[static_cast<std::size_t>(Drop::kNoSnapshot)].help},
          {"revision", 0},
          {"flow", nullptr}};
}

// --- what was dropped --------------------------------------------------------------------------

// The packet again, as far as its record tells; nothing if it was no packet that policy judges.
std::optional<explain::Question> question_of(const DropRecord& d, const Tables& tables) {
  if (d.key.overflow() || d.key.protocol() == 0 || tables.segment(d.key.segment()) == nullptr ||
      d.example.source.version() != d.key.destination().version() ||
      d.key.destination().is_unspecified())
    return std::nullopt;
  explain::Question q;
  q.segment = d.key.segment();
  q.tuple = {d.example.source, d.key.destination(), d.key.protocol(), d.example.source_port,
             d.key.destination_port()};
  q.tcp_flags = d.example.tcp_flags;
  if (d.key.port() == kNoPort) {
    q.origin = decide::Origin::kHostStack;
  } else {
    q.port = d.key.port();
    q.vlan = d.example.vlan;
    q.mac = d.key.mac();
  }
  return q;
}

std::string note_on(const DropRecord& d, const Json& explanation, const QueryContext& context) {
  if (d.key.overflow())
    return "one record for all further destinations of this sender in that second: each of them "
           "was dropped for this reason";
  if (explanation.is_null())
    return "it was dropped before policy is asked: the reason says all there is";
  if (explanation["reason"] == to_string(d.key.reason())) return "";
  const std::string now = explanation["decision"] == "allow"
                              ? "it would pass"
                              : "it would be " + explanation["reason"].get<std::string>();
  if (d.example.revision != context.tables->revision())
    return fmt::format("revision {} was in force then; under revision {} {}", d.example.revision,
                       context.tables->revision(), now);
  return fmt::format("what kept it then is over, or lies with this one packet: asked now, {}", now);
}

Result<std::size_t> take_count(std::vector<std::string>& words) {
  std::size_t count = 1;
  for (const std::string& word : words) {
    if (!word.starts_with("count=")) continue;
    const auto [end, error] = std::from_chars(word.data() + 6, word.data() + word.size(), count);
    if (error != std::errc{} || end != word.data() + word.size() || count == 0 ||
        count > kMaxExplained)
      return fail(ErrorKind::kUsage, "bad-filter",
                  fmt::format("count= takes a number from 1 to {}", kMaxExplained));
  }
  std::erase_if(words, [](const std::string& word) { return word.starts_with("count="); });
  return count;
}

}  // namespace

Result<std::string> explain_json(const std::vector<std::string>& words, const QueryContext& context,
                                 const OnOwner& on_owner) {
  if (context.tables == nullptr) return without_snapshot().dump();
  SALLYPORT_TRY(explain::Question question, explain::parse_question(context.tables->view(), words));
  return explained(std::move(question), context, on_owner).dump();
}

Result<std::string> explain_last_json(std::vector<std::string> words, const QueryContext& context,
                                      const std::vector<DropRecord>& records,
                                      const OnOwner& on_owner) {
  SALLYPORT_TRY(const std::size_t count, take_count(words));
  SALLYPORT_TRY(const Filter filter, Filter::of(words, drop_row(DropRecord{}, context)));
  Json out = Json::array();
  for (const DropRecord& record : records) {
    Json row = drop_row(record, context);
    if (!filter.matches(row)) continue;
    Json explanation;
    if (context.tables != nullptr)
      if (const auto question = question_of(record, *context.tables))
        explanation = explained(*question, context, on_owner);
    row["note"] = context.tables == nullptr ? "" : note_on(record, explanation, context);
    row["explanation"] = std::move(explanation);
    out.push_back(std::move(row));
    if (out.size() == count) break;
  }
  return Json{{"kept", records.size()}, {"drops", out}}.dump();
}

}  // namespace sallyport::dataplane
