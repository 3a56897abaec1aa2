#include "control/app/flow_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "policy/base/net.h"
#include "policy/model/model.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr std::size_t kFields = 10;
constexpr std::uint16_t kEcho4 = 8;
constexpr std::uint16_t kEcho6 = 128;

bool is_short(std::string_view name) { return name.size() <= model::kMaxLongName + 20; }

std::optional<std::uint8_t> protocol_of(std::string_view name) {
  for (const IpProtocol p :
       {IpProtocol::kTcp, IpProtocol::kUdp, IpProtocol::kIcmp, IpProtocol::kIcmp6})
    if (name == to_string(p)) return static_cast<std::uint8_t>(p);
  return std::nullopt;
}

bool is_address(const std::string& text) { return IpAddress::parse(text).has_value(); }

bool usable(const FlowKey& key, const FlowSeen& seen) {
  return is_short(key.segment) && is_short(key.device) && is_short(key.peer_segment) &&
         is_short(seen.rule) && is_address(key.destination) && is_address(seen.source);
}

std::string digest_of(const json& rows) {
  return wire::to_hex(wire::sha256("sallyport flows 1\n" + rows.dump()));
}

// One row as a list, in the order of to_text().
bool read_row(const json& row, FlowKey& key, FlowSeen& seen) {
  if (!row.is_array() || row.size() != kFields) return false;
  for (std::size_t i = 0; i < kFields; ++i)
    if (i < 6 ? !row[i].is_string() : !row[i].is_number_integer()) return false;
  const auto protocol = row[6].get<std::int64_t>();
  const auto port = row[7].get<std::int64_t>();
  if (protocol < 0 || protocol > 255 || port < 0 || port > 65'535) return false;
  key = {row[0],
         row[1],
         row[2],
         row[3],
         static_cast<std::uint8_t>(protocol),
         static_cast<std::uint16_t>(port)};
  seen = {row[4], row[5], row[8], row[9]};
  return usable(key, seen);
}

}  // namespace

void FlowLog::see(const Rows& seen, std::int64_t now_s) {
  for (const auto& [key, one] : seen) {
    const auto [at, fresh] = rows_.try_emplace(key, one);
    if (fresh) at->second.first_s = now_s;
    at->second.source = one.source;
    at->second.rule = one.rule;
    at->second.last_s = now_s;
  }
  make_room(now_s);
}

void FlowLog::make_room(std::int64_t now_s) {
  std::erase_if(rows_, [&](const auto& row) { return row.second.last_s < now_s - kMaxAge; });
  if (rows_.size() <= kMaxRows) return;
  std::vector<std::pair<std::int64_t, const FlowKey*>> oldest;
  for (const auto& [key, seen] : rows_) oldest.emplace_back(seen.last_s, &key);
  const std::size_t surplus = rows_.size() - kMaxRows;
  std::nth_element(oldest.begin(), oldest.begin() + static_cast<std::ptrdiff_t>(surplus),
                   oldest.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<FlowKey> gone;
  for (std::size_t i = 0; i < surplus; ++i) gone.push_back(*oldest[i].second);
  for (const FlowKey& key : gone) rows_.erase(key);
}

std::string FlowLog::to_text() const {
  json rows = json::array();
  for (const auto& [key, seen] : rows_)
    rows.push_back({key.segment, key.device, key.peer_segment, key.destination, seen.source,
                    seen.rule, key.protocol, key.port, seen.first_s, seen.last_s});
  return json{{"sha256", digest_of(rows)}, {"rows", rows}}.dump() + "\n";
}

Result<FlowLog> FlowLog::parse(std::string_view text) {
  const auto damaged = [] {
    return fail(ErrorKind::kInvalid, "flow-log-damaged", "it is damaged, or was changed");
  };
  if (text.size() > kMaxText) return damaged();
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object() || !file.contains("rows") || !file.contains("sha256") ||
      !file["rows"].is_array() || file["rows"].size() > kMaxRows)
    return damaged();
  FlowLog out;
  for (const json& row : file["rows"]) {
    FlowKey key;
    FlowSeen seen;
    if (!read_row(row, key, seen)) return damaged();
    out.rows_.emplace(std::move(key), std::move(seen));
  }
  if (file["sha256"] != digest_of(file["rows"])) return damaged();
  return out;
}

FlowLog::Rows flows_of(std::string_view text) {
  FlowLog::Rows out;
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("flows") || !answer["flows"].is_array()) return out;
  const auto word = [](const json& flow, const char* name) {
    const auto at = flow.find(name);
    return at != flow.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  for (const json& flow : answer["flows"]) {
    if (!flow.is_object()) continue;
    const auto protocol = protocol_of(word(flow, "protocol"));
    const auto port = flow.find("server_port");
    if (!protocol || port == flow.end() || !port->is_number_unsigned()) continue;
    FlowKey key{word(flow, "client_segment"),
                word(flow, "client_device"),
                word(flow, "server_segment"),
                word(flow, "server"),
                *protocol,
                static_cast<std::uint16_t>(port->get<std::uint64_t>())};
    if (*protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp)) key.port = kEcho4;
    if (*protocol == static_cast<std::uint8_t>(IpProtocol::kIcmp6)) key.port = kEcho6;
    FlowSeen seen{word(flow, "client"), word(flow, "rule"), 0, 0};
    if (!usable(key, seen)) continue;
    out.insert_or_assign(std::move(key), std::move(seen));
    if (out.size() == FlowLog::kMaxRows) break;
  }
  return out;
}

}  // namespace sallyport::control
