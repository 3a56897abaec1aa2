// What control asks of the dataplane and what changes nothing: tables of rows, explain, captures.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "dataplane/app/daemon.h"
#include "dataplane/app/explain_live.h"
#include "dataplane/app/filter.h"
#include "policy/explain/question.h"
#include "policy/os/clock.h"

namespace sallyport::dataplane {
namespace {

using Json = nlohmann::json;

// What a worker has, copied between two of its bursts, and turned into rows afterwards, as far as
// the filter leaves it.
template <class T, class ToRow>
Result<std::string> table(std::string_view name, const QueryContext& context,
                          const std::vector<std::string>& words, const std::vector<T>& copied,
                          ToRow to_row) {
  SALLYPORT_TRY(const Filter filter, Filter::of(words, to_row(T{}, context)));
  Json rows = Json::array();
  for (const T& one : copied)
    if (Json row = to_row(one, context); filter.matches(row)) rows.push_back(std::move(row));
  return Json{{name, std::move(rows)}}.dump();
}

std::vector<Opening> copy_flows(Workers& workers) {
  std::vector<Opening> rows;
  workers.on_each([&](Worker&, Pipeline& p) {
    rows.reserve(rows.size() + p.flows().size());
    for (const Flow& flow : p.flows().places())
      if (flow.live()) rows.push_back({flow, p.flows().stand_in(flow)});
  });
  return rows;
}
// The first worker asks for all of them.
std::vector<NeighbourRow> copy_neighbours(Workers& workers) {
  std::vector<NeighbourRow> rows;
  workers.first().do_between_bursts([&](Pipeline& p) {
    for (const Neighbour& n : p.neighbours().entries()) {
      if (n.state == Neighbour::State::kFree) continue;
      rows.push_back({n.segment, n.address, n.mac, n.port, n.state == Neighbour::State::kKnown});
    }
  });
  return rows;
}
// Newest first.
std::vector<DropRecord> copy_drops(Workers& workers) {
  std::vector<DropRecord> rows;
  workers.on_each([&](Worker&, Pipeline& p) {
    const auto its = p.exits().drop_records().snapshot();
    rows.insert(rows.end(), its.begin(), its.end());
  });
  std::ranges::stable_sort(rows, std::ranges::greater(), &DropRecord::last);
  return rows;
}

std::vector<std::string> words_of(const wire::Query& query) {
  std::vector<std::string> words;
  if (query.arguments() != nullptr)
    for (const flatbuffers::String* word : *query.arguments()) words.push_back(word->str());
  return words;
}

// source=, destination=, protocol= and, if they matter, source_port= and destination_port=.
Result<TracedFlow> traced_flow(const wire::Query& query) {
  const auto wrong = [](const char* what) {
    return fail(ErrorKind::kUsage, "bad-question", std::string("a trace needs ") + what);
  };
  const auto port = [&](const char* name) -> std::optional<std::uint16_t> {
    const std::string_view text = os::argument(query, name);
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} && !text.empty()) return std::nullopt;
    return end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  const auto source = IpAddress::parse(os::argument(query, "source"));
  const auto destination = IpAddress::parse(os::argument(query, "destination"));
  if (!source || !destination || source->version() != destination->version())
    return wrong("source= and destination= of one IP version");
  const auto source_port = port("source_port"), destination_port = port("destination_port");
  if (!source_port || !destination_port) return wrong("ports from 0 to 65535");
  const auto protocol = explain::parse_protocol(os::argument(query, "protocol"));
  if (!protocol) return wrong("protocol= tcp, udp or icmp");
  const bool echo = *protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp) ||
                    *protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp6);
  const IpProtocol spoken = !echo             ? static_cast<IpProtocol>(*protocol)
                            : source->is_v4() ? IpProtocol::kIcmp
                                              : IpProtocol::kIcmp6;
  return TracedFlow{{*source, *destination, *source_port, *destination_port, spoken}};
}

}  // namespace

std::map<PortSlot, std::string> Daemon::port_names() const {
  std::map<PortSlot, std::string> names;
  if (ports_)
    for (const os::PortSpec& port : *ports_) names[port.slot] = port.name;
  return names;
}

QueryContext Daemon::context(const std::map<PortSlot, std::string>& names) const {
  return {in_force_.get(), names, os::steady_now(), os::wall_ns()};
}

std::string Daemon::counters(const QueryContext& context) {
  Counters counters;
  std::uint64_t events_lost = 0;
  std::vector<PortFigures> ports;
  for (const os::PortSpec& port : *ports_) ports.push_back({port.slot, {}, {}});
  workers_->on_each([&](const Worker& worker, Pipeline& p) {
    counters += p.counters();
    events_lost += p.events_lost();
    for (PortFigures& port : ports) {
      port.counters += p.exits().ports()[port.slot].counters();
      for (const Poller::PortLoad& load : worker.loads()) {
        if (load.slot != port.slot) continue;
        port.counters.rx_packets += load.rx_packets;
        port.counters.rx_bytes += load.rx_bytes;
      }
    }
  });
  // The device's own figures do not stop the worker.
  for (std::size_t i = 0; i < ports.size(); ++i) ports[i].health = devices_[i]->health();
  return counters_json(counters, events_lost, context, ports, taps_->counters());
}

std::string Daemon::volumes(const QueryContext& context) {
  Counters counters;
  std::vector<SegmentVolume> segments;
  std::vector<Volume> rules;
  std::uint32_t flows = 0;
  const std::size_t slots = in_force_ == nullptr ? 0 : in_force_->view().rules().size();
  rules.resize(std::min(slots, std::size_t{wire::kMaxRules}));
  segments.resize(wire::kMaxSegments);
  workers_->on_each([&](Worker&, Pipeline& p) {
    counters += p.counters();
    p.volumes().add_to(segments, rules);
    flows += p.flows().size();
  });
  return volumes_json(counters, segments, rules, flows, context);
}

std::string Daemon::status() {
  std::uint32_t flows = 0;
  std::uint64_t polls = 0, sleeps = 0;
  workers_->on_each([&](const Worker& worker, Pipeline& p) {
    flows += p.flows().size();
    polls += worker.polls();
    sleeps += worker.sleeps();
  });
  return Json{{"configured", true},
              {"revision", in_force_ == nullptr ? 0 : in_force_->revision()},
              {"flows", flows},
              {"flow_capacity", options_.flows},
              {"workers", workers_->size()},
              {"hugepages", eal_uses_hugepages()},
              {"free_packets", workers_->free_packets()},
              {"polls", polls},
              {"sleeps", sleeps},
              {"woken", workers_->woken()},
              {"capturing", capture_ != nullptr}}
      .dump();
}

Result<std::string> Daemon::query(const wire::Query& request) {
  const std::string_view what = wire::text(request.what());
  const std::vector<std::string> words = words_of(request);
  if (what == "status" && !ports_) return Json{{"configured", false}, {"revision", 0}}.dump();
  if (!ports_) return fail(ErrorKind::kUnavailable, "not-configured", "no ports yet");
  const auto names = port_names();
  const QueryContext scope = context(names);
  if (what == "flows") return table("flows", scope, words, copy_flows(*workers_), flow_row);
  if (what == "drops") return table("drops", scope, words, copy_drops(*workers_), drop_row);
  if (what == "neighbours")
    return table("neighbours", scope, words, copy_neighbours(*workers_), neighbour_row);
  const OnOwner on_owner = [&](const FlowKey& flow, const auto& work) {
    workers_->on_owner(flow, *in_force_, work);
  };
  if (what == "explain") return explain_json(words, scope, on_owner);
  if (what == "explain-last")
    return explain_last_json(words, scope, copy_drops(*workers_), on_owner);
  if (!words.empty())
    return fail(ErrorKind::kUsage, "bad-filter",
                "only flows, drops and neighbours can be narrowed");
  if (what == "counters") return counters(scope);
  if (what == "volumes") return volumes(scope);
  if (what == "status") return status();
  return fail(ErrorKind::kUsage, "query", "the dataplane has no \"" + std::string(what) + "\"");
}

// --- captures ----------------------------------------------------------------------------------

bool Daemon::is_capture(const wire::Query& request) {
  const std::string_view what = wire::text(request.what());
  return what.starts_with("capture-") || what == "trace-start";
}

Result<os::Outgoing> Daemon::start_capture(const wire::Query& request, std::uint64_t id) {
  std::optional<TracedFlow> traced;
  if (wire::text(request.what()) == "trace-start") {
    SALLYPORT_TRY(traced, traced_flow(request));
  }
  if (capture_ != nullptr)
    return fail(ErrorKind::kRefused, "capture-running", "another capture is under way");
  capture_ =
      std::make_unique<CaptureSession>(++captures_, os::steady_now(), workers_->size(), traced);
  std::size_t place = 0;
  workers_->on_each([&](Worker&, Pipeline& p) { p.exits().observe(&capture_->filling(place++)); });
  return os::encode_answer(id, Json{{"capture", capture_->id()}}.dump());
}

// "capture-start" and "trace-start"; for both "capture-read" and "capture-stop". Packets of a
// capture are in the one descriptor beside the JSON, which is absent when there are none; those of
// a trace are rows.
Result<os::Outgoing> Daemon::capture(const wire::Query& request, std::uint64_t id) {
  const std::string_view what = wire::text(request.what());
  if (what.ends_with("-start")) return start_capture(request, id);
  if (capture_ == nullptr || os::argument(request, "capture") != std::to_string(capture_->id()))
    return fail(ErrorKind::kUsage, "no-capture", "no such capture is running");
  const bool last = what == "capture-stop";
  std::size_t place = 0;
  workers_->on_each([&](Worker&, Pipeline& p) {
    Capture& next = capture_->waiting(place);
    if (!last) next.continue_from(capture_->filling(place));
    p.exits().observe(last ? nullptr : &next);
    ++place;
  });
  const auto names = port_names();
  const CaptureSession::Part part = capture_->take(context(names));
  if (last) capture_.reset();
  SALLYPORT_TRY(
      os::Outgoing out,
      os::encode_answer(
          id,
          Json{{"packets", part.packets}, {"missed", part.missed}, {"rows", part.rows}}.dump()));
  if (part.pcapng.empty()) return out;
  SALLYPORT_TRY(os::UniqueFd memory, os::make_sealed("sallyport-capture", part.pcapng));
  out.descriptors.push_back(std::move(memory));
  return out;
}

}  // namespace sallyport::dataplane
