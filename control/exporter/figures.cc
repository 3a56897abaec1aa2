#include "control/exporter/figures.h"

#include <array>
#include <initializer_list>
#include <map>
#include <string>

#include "control/exporter/metrics.h"

namespace sallyport::exporter {
namespace {

using nlohmann::json;

constexpr std::string_view kOther = "(other)";  // no conduit's name: those have no brackets

// The member at the end of the path; null if it is not there.
const json& at(const json& value, std::initializer_list<const char*> path) {
  static const json kNothing;
  const json* here = &value;
  for (const char* key : path) {
    if (!here->is_object()) return kNothing;
    const auto found = here->find(key);
    if (found == here->end()) return kNothing;
    here = &*found;
  }
  return *here;
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : ""; }

class Series {
 public:
  // Label values in the order of the table. Values that are no number make no series.
  void add(Metric metric, std::initializer_list<std::string_view> values, const json& value) {
    if (value.is_boolean()) return put(metric, values, value.get<bool>() ? 1 : 0);
    if (value.is_number()) put(metric, values, value.get<double>());
  }
  void put(Metric metric, std::initializer_list<std::string_view> values, double value) {
    prometheus::MetricFamily& family = families_[static_cast<std::size_t>(metric)];
    if (family.metric.size() >= kMostSeries) return;
    prometheus::ClientMetric& one = family.metric.emplace_back();
    std::string_view names = info(metric).labels;
    for (const std::string_view label : values) {
      const std::size_t end = std::min(names.find(','), names.size());
      one.label.push_back({std::string(names.substr(0, end)), std::string(label)});
      names.remove_prefix(std::min(end + 1, names.size()));
    }
    (info(metric).kind == Kind::kCounter ? one.counter.value : one.gauge.value) = value;
  }
  std::vector<prometheus::MetricFamily> take() {
    std::vector<prometheus::MetricFamily> out;
    for (std::size_t i = 0; i < families_.size(); ++i) {
      if (families_[i].metric.empty()) continue;
      families_[i].name = kMetricInfo[i].name;
      families_[i].help = kMetricInfo[i].help;
      families_[i].type = kMetricInfo[i].kind == Kind::kCounter ? prometheus::MetricType::Counter
                                                                : prometheus::MetricType::Gauge;
      out.push_back(std::move(families_[i]));
    }
    return out;
  }

 private:
  std::array<prometheus::MetricFamily, kMetricInfo.size()> families_;
};

void tell_control(const json& status, Series& out) {
  for (const json& process : at(status, {"processes"}))
    if (const std::string name = text(at(process, {"name"})); !name.empty())
      out.add(Metric::kUp, {name}, at(process, {"connected"}));
  if (const std::string version = text(at(status, {"version"})); !version.empty())
    out.put(Metric::kBuild, {version}, 1);
  const json& revision = at(status, {"revision"});
  if (revision.is_number_unsigned() && revision.get<std::uint64_t>() != 0)
    out.put(Metric::kRevision, {revision.dump()}, 1);
  if (const std::string state = text(at(status, {"state"})); !state.empty())
    out.put(Metric::kInForce, {}, state == "in-force" ? 1 : 0);
  out.put(Metric::kUnconfirmed, {}, at(status, {"unconfirmed"}).is_object() ? 1 : 0);
  if (const json& problems = at(status, {"chain", "problems"}); problems.is_array())
    out.put(Metric::kHistory, {}, static_cast<double>(problems.size()));
  out.add(Metric::kDatabase, {}, at(status, {"database", "connected"}));
  out.add(Metric::kEvents, {}, at(status, {"events"}));
}

void tell_counters(const json& counters, Series& out) {
  out.add(Metric::kPackets, {"forwarded"}, at(counters, {"forwarded"}));
  out.add(Metric::kPackets, {"to-host"}, at(counters, {"to_host"}));
  out.add(Metric::kPackets, {"consumed"}, at(counters, {"consumed"}));
  double dropped = 0;
  const json& drops = at(counters, {"drops"});
  if (drops.is_object()) {
    for (const auto& [reason, count] : drops.items()) {
      out.add(Metric::kDrops, {reason}, count);
      if (count.is_number()) dropped += count.get<double>();
    }
    out.put(Metric::kPackets, {"dropped"}, dropped);
  }
  for (const json& port : at(counters, {"ports"})) {
    const std::string name = text(at(port, {"port"}));
    if (name.empty()) continue;
    out.add(Metric::kPortPackets, {name, "in"}, at(port, {"rx_packets"}));
    out.add(Metric::kPortPackets, {name, "out"}, at(port, {"tx_packets"}));
    out.add(Metric::kPortBytes, {name, "in"}, at(port, {"rx_bytes"}));
    out.add(Metric::kPortBytes, {name, "out"}, at(port, {"tx_bytes"}));
    out.add(Metric::kPortFull, {name}, at(port, {"tx_full"}));
    for (const auto& [what, key] : {std::pair("missed", "rx_missed"),
                                    {"damaged", "rx_errors"},
                                    {"no-buffer", "rx_no_buffer"},
                                    {"not-sent", "tx_errors"}})
      out.add(Metric::kPortErrors, {name, what}, at(port, {key}));
    out.add(Metric::kPortLink, {name}, at(port, {"link_up"}));
  }
  out.add(Metric::kFlowsMade, {}, at(counters, {"flows_made"}));
  out.add(Metric::kFlowsEnded, {"silence"}, at(counters, {"flows_ended"}));
  out.add(Metric::kFlowsEnded, {"cut"}, at(counters, {"flows_cut"}));
  out.add(Metric::kFlowsEnded, {"displaced"}, at(counters, {"flows_displaced"}));
}

struct Handshakes {
  double established = 0;
  double failed = 0;
  double timed_out = 0;
  double in_flight = 0;
};

double number(const json& value) { return value.is_number() ? value.get<double>() : 0; }

void tell_terminator(const json& terminator, Series& out) {
  out.add(Metric::kSessions, {}, at(terminator, {"sessions"}));
  out.add(Metric::kSessionsLimit, {}, at(terminator, {"max-sessions"}));
  std::map<std::string, Handshakes, std::less<>> told;
  std::map<std::string, json, std::less<>> credentials;  // several conduits use one
  for (const json& conduit : at(terminator, {"conduits"})) {
    for (const json& one : at(conduit, {"credentials"}))
      if (const std::string name = text(at(one, {"name"})); !name.empty())
        credentials.emplace(name, at(one, {"expires-s"}));
    std::string name = text(at(conduit, {"name"}));
    const json& counts = at(conduit, {"handshakes"});
    if (name.empty() || !counts.is_object()) continue;
    // Three results each.
    if (told.size() >= kMostSeries / 3 - 1 && !told.contains(name)) name = kOther;
    Handshakes& sum = told[name];
    sum.established += number(at(counts, {"established"}));
    sum.failed += number(at(counts, {"failed"}));
    sum.timed_out += number(at(counts, {"timed-out"}));
    sum.in_flight += number(at(counts, {"in-flight"}));
  }
  for (const auto& [name, sum] : told) {
    out.put(Metric::kHandshakes, {name, "established"}, sum.established);
    out.put(Metric::kHandshakes, {name, "failed"}, sum.failed);
    out.put(Metric::kHandshakes, {name, "timed-out"}, sum.timed_out);
    out.put(Metric::kHandshakesInFlight, {name}, sum.in_flight);
  }
  for (const auto& [name, end] : credentials) out.add(Metric::kCertificate, {name}, end);
}

}  // namespace

std::vector<prometheus::MetricFamily> families(const Answers& answers) {
  Series out;
  out.put(Metric::kUp, {"control"}, answers.status ? 1 : 0);
  if (answers.status) tell_control(*answers.status, out);
  if (answers.counters) tell_counters(*answers.counters, out);
  if (answers.dataplane) {
    out.add(Metric::kFlows, {}, at(*answers.dataplane, {"flows"}));
    out.add(Metric::kFlowCapacity, {}, at(*answers.dataplane, {"flow_capacity"}));
  }
  if (answers.terminator) tell_terminator(*answers.terminator, out);
  return out.take();
}

}  // namespace sallyport::exporter
