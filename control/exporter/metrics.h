// What the exporter tells, one line a metric: name, kind, labels, help. Enumeration, exposition and
// docs/reference/metrics.md are made from it; the dashboard (images/grafana) is tested against it.
//
// Names follow https://prometheus.io/docs/practices/naming: base units, `_total` for counters,
// `_info` for labels that are the message. Labels name what the configuration names, or words of a
// fixed list; never addresses, ports of packets or users. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sallyport::exporter {

#define SALLYPORT_METRICS(X)                                                                       \
  X(kUp, "sallyport_up", kGauge, "process",                                                        \
    "1 if the process answers control (process=\"control\": if control answers the exporter)")     \
  X(kBuild, "sallyport_build_info", kGauge, "version", "which sallyport-control runs")             \
  X(kRevision, "sallyport_config_revision_info", kGauge, "revision",                               \
    "which revision is in force; absent when none is")                                             \
  X(kInForce, "sallyport_config_in_force", kGauge, "",                                             \
    "1 if every process has acknowledged the revision that is to be in force")                     \
  X(kUnconfirmed, "sallyport_config_unconfirmed", kGauge, "",                                      \
    "1 while a revision goes back by itself unless somebody confirms it")                          \
  X(kHistory, "sallyport_config_history_problems", kGauge, "",                                     \
    "what does not verify in the chain of revisions")                                              \
  X(kDatabase, "sallyport_database_connected", kGauge, "", "1 if ovsdb-server answers control")    \
  X(kEvents, "sallyport_events_total", kCounter, "",                                               \
    "what an operator must hear of, since control started (sallyctl show events)")                 \
  X(kPackets, "sallyport_packets_total", kCounter, "verdict",                                      \
    "frames by what became of them: forwarded, to-host, consumed, dropped")                        \
  X(kDrops, "sallyport_drops_total", kCounter, "reason",                                           \
    "frames that were dropped, by reason (drop-reasons.md)")                                       \
  X(kPortPackets, "sallyport_port_packets_total", kCounter, "port,direction",                      \
    "frames of a port, in from and out to its wire")                                               \
  X(kPortBytes, "sallyport_port_bytes_total", kCounter, "port,direction",                          \
    "bytes of a port, in from and out to its wire")                                                \
  X(kPortFull, "sallyport_port_full_total", kCounter, "port",                                      \
    "frames that the port's driver did not take")                                                  \
  X(kPortErrors, "sallyport_port_errors_total", kCounter, "port,what",                             \
    "frames that the port's device missed, found damaged, had no buffer for, or did not send")     \
  X(kPortLink, "sallyport_port_link_up", kGauge, "port", "1: the port's link is up")               \
  X(kFlows, "sallyport_flows", kGauge, "", "flows in the dataplane now")                           \
  X(kFlowCapacity, "sallyport_flow_table_capacity", kGauge, "", "flows that there is room for")    \
  X(kFlowsMade, "sallyport_flows_made_total", kCounter, "", "flows that began")                    \
  X(kFlowsEnded, "sallyport_flows_ended_total", kCounter, "how",                                   \
    "flows that ended: by silence, cut because no rule permits them any more, or displaced by "    \
    "newer ones in a full table")                                                                  \
  X(kSessions, "sallyport_sessions", kGauge, "", "TLS sessions in the terminator now")             \
  X(kSessionsLimit, "sallyport_sessions_limit", kGauge, "", "TLS sessions that there is room for") \
  X(kHandshakes, "sallyport_handshakes_total", kCounter, "conduit,result",                         \
    "TLS handshakes: established, failed, timed-out")                                              \
  X(kHandshakesInFlight, "sallyport_handshakes_in_flight", kGauge, "conduit",                      \
    "TLS handshakes under way")                                                                    \
  X(kCertificate, "sallyport_certificate_not_after_timestamp_seconds", kGauge, "name",             \
    "when a credential in use ends, in seconds since 1970")

enum class Metric : std::uint8_t {
#define SALLYPORT_METRIC_ENUM(id, name, kind, labels, help) id,
  SALLYPORT_METRICS(SALLYPORT_METRIC_ENUM)
#undef SALLYPORT_METRIC_ENUM
};
enum class Kind : std::uint8_t { kCounter, kGauge };

struct MetricInfo {
  std::string_view name;
  Kind kind;
  std::string_view labels;  // "port,direction"; empty: none
  std::string_view help;
};
inline constexpr auto kMetricInfo = std::to_array<MetricInfo>({
#define SALLYPORT_METRIC_INFO(id, name, kind, labels, help) {name, Kind::kind, labels, help},
    SALLYPORT_METRICS(SALLYPORT_METRIC_INFO)
#undef SALLYPORT_METRIC_INFO
});

// Of one metric: a plant has more conduits than a monitoring system wants series. What comes later
// in its list is left out, or summed under conduit="(other)".
inline constexpr std::size_t kMostSeries = 512;

constexpr const MetricInfo& info(Metric metric) {
  return kMetricInfo[static_cast<std::size_t>(metric)];
}

}  // namespace sallyport::exporter
