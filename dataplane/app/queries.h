// The dataplane's answers to reads, as JSON text. Each takes the worker's state between bursts (the
// caller sees to that) or a copy of it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dataplane/app/worker.h"
#include "dataplane/tables.h"
#include "dataplane/telemetry/volumes.h"
#include "policy/wire/messages_generated.h"

namespace sallyport::dataplane {

// What a query needs beside the worker: names for slots.
struct QueryContext {
  const Tables* tables = nullptr;
  const std::map<PortSlot, std::string>& port_names;
  Instant now;
  std::int64_t wall_ns = 0;
};

struct PortFigures {
  PortSlot slot;
  PortCounters counters;
  PortHealth health;
};
std::string counters_json(const Counters& counters, std::uint64_t events_lost,
                          const QueryContext& context, const std::vector<PortFigures>& ports,
                          const TapThread::Counters& taps);
// Segments, and rules that carried something: at most kMaxRuleRows, those with the most bytes; how
// many more there are is in "rules_left_off".
inline constexpr std::size_t kMaxRuleRows = 4096;
std::string volumes_json(const Counters& counters, std::span<const SegmentVolume> segments,
                         std::span<const Volume> rules, std::uint32_t flows,
                         const QueryContext& context);
// A flow as it is copied; as insert() got it.
nlohmann::json flow_row(const Opening& copy, const QueryContext& context);
nlohmann::json drop_row(const DropRecord& drop, const QueryContext& context);
struct NeighbourRow {
  SegmentSlot segment;
  IpAddress address;
  MacAddress mac;
  PortSlot port;
  bool known;
};
nlohmann::json neighbour_row(const NeighbourRow& row, const QueryContext& context);
std::string event_json(const Event& event, const QueryContext& context);
std::string link_event_json(std::string_view port, std::int64_t wall_ns);

// Names for slots; a slot that has none in the revision in force gets a number, or nothing.
std::string port_name(PortSlot slot, const QueryContext& context);
std::string segment_name(SegmentSlot slot, const QueryContext& context);
std::string rule_name(RuleSlot slot, const QueryContext& context);
std::string device_name(DeviceSlot slot, const QueryContext& context);
// Seconds since 1970 of a steady instant, for people.
double wall_s(Instant when, const QueryContext& context);

}  // namespace sallyport::dataplane
