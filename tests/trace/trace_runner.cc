#include "tests/trace/trace_runner.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>

#include "dataplane/stages/ethernet.h"
#include "dataplane/telemetry/stages.h"
#include "tests/support/fragment_builder.h"

namespace sallyport::testing {
namespace {

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view option(const std::vector<std::string>& words, std::string_view name) {
  for (std::string_view word : words) {
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=') {
      return word.substr(name.size() + 1);
    }
  }
  return {};
}

std::uint8_t flags_of(std::string_view letters) {
  constexpr std::string_view kLetters = "FSRPAU";
  std::uint8_t flags = 0;
  for (char letter : letters)
    flags = static_cast<std::uint8_t>(flags | 1U << kLetters.find(letter));
  return flags;
}

IpAddress gateway_address(std::string_view segment, IpVersion version) {
  for (const model::Segment& s : plant().segments) {
    for (const model::InterfaceAddress& a : s.addresses) {
      if (s.name == segment && a.address.version() == version) return a.address;
    }
  }
  return {};
}

}  // namespace

TraceRunner::TraceRunner(std::string file, const TraceCase& trace, IpVersion version,
                         std::size_t workers)
    : file_(std::move(file)), trace_(trace), version_(version), workers_(workers) {}

std::string TraceRunner::here() const { return fmt::format("{}:{}", file_, line_); }

void TraceRunner::run() {
  const bool none = !trace_.lines.empty() && trace_.lines.front().words == Words{"policy", "none"};
  world_.emplace(workers_, none ? std::nullopt : std::optional(plant()));
  for (const TraceLine& line : trace_.lines) {
    line_ = line.number;
    play(line);
    if (::testing::Test::HasFatalFailure()) return;
  }
  settle();
}

void TraceRunner::play(const TraceLine& line) {
  const Words& words = line.words;
  const Words rest(words.begin() + 1, words.end());
  if (words[0] != "out" && words[0] != "expect") settle();
  if (words[0] == "policy") return;
  if (words[0] == "apply") return apply(rest);
  if (words[0] == "given") return given(rest);
  if (words[0] == "in") return in(rest);
  if (words[0] == "expect") return expect(rest);
  if (words[0] == "flood") return flood(rest);
  if (words[0] == "wait" && rest.size() == 1 && rest[0].ends_with('s')) {
    const auto seconds = number_of(std::string_view(rest[0]).substr(0, rest[0].size() - 1));
    ASSERT_TRUE(seconds) << here();
    seen_ = world_->wait(std::chrono::seconds(*seconds));
    judged_ = true;  // what time alone sends (repeated questions) is for the cases that ask: `out`
                     // after `wait`
    return;
  }
  if (words[0] == "out" && rest.size() >= 4) {
    const auto spec = frame_of({rest.begin() + 1, rest.end()}, rest[0]);
    ASSERT_TRUE(spec) << here() << ": cannot be read";
    wanted_.push_back({rest[0], spec->frame});
    judged_ = false;
    return;
  }
  FAIL() << here() << ": no such line in a trace";
}

namespace {

// CONDUIT.CLASS=SECONDS
bool set_timeout(model::Gateway& gateway, std::string_view word) {
  const auto dot = word.find('.');
  const auto equals = word.find('=');
  if (dot == word.npos || equals == word.npos || dot > equals) return false;
  const auto conduit =
      std::ranges::find(gateway.conduits, word.substr(0, dot), &model::Conduit::name);
  const auto* of =
      std::ranges::find(kTimeouts, word.substr(dot + 1, equals - dot - 1), &TimeoutInfo::name);
  const auto seconds = number_of(word.substr(equals + 1));
  if (conduit == gateway.conduits.end() || of == kTimeouts.end() || !seconds) return false;
  conduit->timeouts.seconds[static_cast<std::size_t>(of - kTimeouts.begin())] = *seconds;
  return true;
}

}  // namespace

void TraceRunner::apply(const Words& words) {
  ASSERT_FALSE(words.empty()) << here();
  model::Gateway gateway = plant();
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[0] == "timeouts") {
      ASSERT_TRUE(set_timeout(gateway, words[i])) << here() << ": no timeout " << words[i];
      continue;
    }
    if (words[0] == "mtu") {
      const auto at = words[i].find('=');
      const auto segment =
          std::ranges::find(gateway.segments, words[i].substr(0, at), &model::Segment::name);
      const auto mtu = number_of(std::string_view(words[i]).substr(at + 1));
      ASSERT_TRUE(segment != gateway.segments.end() && mtu) << here();
      segment->mtu = static_cast<std::uint16_t>(*mtu);
      continue;
    }
    const auto removed = std::erase_if(gateway.conduits,
                                       [&](const model::Conduit& c) { return c.name == words[i]; });
    ASSERT_EQ(removed, 1U) << here() << ": no conduit " << words[i];
  }
  world_->apply(gateway);
}

void TraceRunner::given(const Words& words) {
  ASSERT_EQ(words.size(), 4U) << here();
  const auto step = [&](const std::string& from, const std::string& to, const char* flags) {
    const auto spec = frame_of({from, ">", to, "tcp", flags}, "");
    ASSERT_TRUE(spec) << here();
    const auto out = world_->receive(spec->port, spec->frame);
    ASSERT_EQ(out.size(), 1U) << here() << ": the handshake stops at " << flags;
  };
  step(words[0], words[2], "S");
  step(words[2], words[0], "SA");
  step(words[0], words[2], "A");
}

void TraceRunner::in(const Words& words) {
  const auto spec = frame_of(words, "");
  ASSERT_TRUE(spec) << here() << ": cannot be read";
  came_ = spec->frame;
  seen_ = spec->from_stack ? world_->receive_from_host(spec->port, spec->frame)
                           : world_->receive(spec->port, spec->frame);
  judged_ = false;
}

void TraceRunner::flood(const Words& words) {
  const auto count = words.empty() ? std::nullopt : number_of(words[0]);
  ASSERT_TRUE(count) << here();
  Words one(words.begin() + 1, words.end());
  one.emplace_back();
  for (std::uint32_t id = 1; id <= *count; ++id) {
    one.back() = fmt::format("half=1/{}", id);
    in(one);
    ASSERT_TRUE(seen_.empty()) << here();
  }
}

void TraceRunner::expect(const Words& words) {
  const auto& drop = world_->verdict().drop;
  if (words == Words{"no", "drop"}) {
    EXPECT_FALSE(drop) << here() << ": dropped as " << to_string(drop.value_or(Drop::kDefaultDeny));
    return;
  }
  ASSERT_TRUE(words.size() == 2 && words[0] == "drop") << here();
  const std::string seen = drop ? std::string(to_string(*drop)) : "no drop";
  EXPECT_EQ(seen, words[1]) << here()
                            << "; stages: " << dataplane::stage_list(world_->verdict().stages);
}

// Compares what left with what the `out` lines say; called before anything else happens.
void TraceRunner::settle() {
  if (judged_) {
    wanted_.clear();
    return;
  }
  judged_ = true;
  const auto print = [](const std::vector<Frame>& frames) {
    std::string text;
    for (const Frame& f : frames) text += fmt::format("\n    {} {}", f.where, as_scapy(f.bytes));
    return text.empty() ? std::string(" nothing") : text;
  };
  const bool same = seen_.size() == wanted_.size() &&
                    std::ranges::equal(seen_, wanted_, [](const Frame& a, const Frame& b) {
                      return a.where == b.where && (b.bytes.empty() || a.bytes == b.bytes);
                    });
  EXPECT_TRUE(same) << here() << " (the lines before it)\n  expected:" << print(wanted_)
                    << "\n  seen:" << print(seen_)
                    << "\n  stages: " << dataplane::stage_list(world_->verdict().stages);
  wanted_.clear();
}

bool TraceRunner::set_party(std::string_view text, Party& party) {
  const auto colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.starts_with('@')) {
      for (const wire::Conduit* c : *world_->pipeline().tables()->view().root().conduits()) {
        if (c->name()->string_view() == port.substr(1))
          party.port = c->termination()->listener_port();
      }
    } else {
      const auto value = number_of(port);
      if (!value || *value > 65535) return false;
      party.port = static_cast<std::uint16_t>(*value);
    }
  }
  if (name.starts_with("gw.")) {
    party.address = gateway_address(name.substr(3), version_);
    return true;
  }
  const auto host = plant_hosts().find(name);
  if (host == plant_hosts().end()) return false;
  party.address = host->second.address(version_);
  return true;
}

// Coming in: from the host's MAC to the gateway's. Leaving: from the gateway's MAC on that wire to
// the host's; into a stack the fixed MAC stands for the wire.
bool TraceRunner::set_macs(Spec& spec, std::string_view where, const std::string& source,
                           const std::string& destination) {
  const auto& hosts = plant_hosts();
  const auto host = [&](const std::string& text) {
    return hosts.find(text.substr(0, text.find(':')));
  };
  if (where.starts_with("host:")) {
    spec.from.mac = dataplane::kFixedMac;
    spec.to.mac = world_->segment_mac(where.substr(5));
    return true;
  }
  if (where.empty() && source.starts_with("gw.")) {
    spec.port = source.substr(3, source.find(':') - 3);
    spec.from_stack = true;
    spec.from.mac = world_->segment_mac(spec.port);
    spec.to.mac = dataplane::kFixedMac;
    return true;
  }
  const auto found = host(where.empty() ? source : destination);
  if (found == hosts.end()) return false;
  const Host& self = found->second;
  spec.port = self.port;
  (where.empty() ? spec.from : spec.to).mac = self.mac;
  (where.empty() ? spec.to : spec.from).mac = world_->segment_mac(self.segment);
  return true;
}

std::optional<TraceRunner::Spec> TraceRunner::frame_of(const Words& words, std::string_view where) {
  if (words.size() < 4 || words[1] != ">") return std::nullopt;
  Spec spec;
  if (!set_party(words[0], spec.from) || !set_party(words[2], spec.to)) return std::nullopt;
  if (!set_macs(spec, where, words[0], words[2])) return std::nullopt;
  const auto& hosts = plant_hosts();
  if (const auto name = option(words, "mac"); !name.empty())
    spec.from.mac = hosts.at(std::string(name)).mac;
  if (const auto name = option(words, "to"); !name.empty())
    spec.to.mac = hosts.at(std::string(name)).mac;
  if (const auto name = option(words, "address"); !name.empty()) {
    spec.from.address = hosts.at(std::string(name)).address(version_);
  }
  if (const auto port = option(words, "on"); !port.empty()) spec.port = port;
  const auto frame = build(spec, words, 3, where);
  if (!frame) return std::nullopt;
  spec.frame = *frame;
  const std::string_view half = option(words, "half");
  if (half.empty()) return spec;
  const auto id = number_of(half.substr(std::min<std::size_t>(2, half.size())));
  const bool second = half.starts_with("2/");
  if (!id || (!second && !half.starts_with("1/"))) return std::nullopt;
  // Of what follows the IP header; a fragment's bytes are a multiple of eight.
  const auto halves = fragments_of(*frame, (frame->size() / 2 + 7) / 8 * 8, *id);
  if (halves.size() != 2) return std::nullopt;
  spec.frame = halves[second ? 1 : 0];
  return spec;
}

std::optional<std::vector<std::uint8_t>> TraceRunner::build(const Spec& spec, const Words& words,
                                                            std::size_t at,
                                                            std::string_view where) {
  PacketBuilder builder(spec.from, spec.to);
  const std::string& self = where.empty() ? words[0] : words[2];
  if (const auto host = plant_hosts().find(self.substr(0, self.find(':')));
      host != plant_hosts().end()) {
    builder.vlan(host->second.vlan);
  }
  if (const auto vlan = number_of(option(words, "vlan")))
    builder.vlan(static_cast<std::uint16_t>(*vlan));
  if (const auto ttl = number_of(option(words, "ttl")))
    builder.ttl(static_cast<std::uint8_t>(*ttl));
  const std::string& what = words[at];
  const auto sequence = number_of(option(words, "seq"));
  const auto acknowledgement = number_of(option(words, "ack"));
  if (sequence) builder.sequence(*sequence);
  if (acknowledgement) builder.acknowledgement(*acknowledgement);
  if (const auto mss = number_of(option(words, "mss")))
    builder.options({2, 4, static_cast<std::uint8_t>(*mss >> 8), static_cast<std::uint8_t>(*mss)});
  if (const auto id = number_of(option(words, "cut")))
    builder.may_be_cut(static_cast<std::uint16_t>(*id));
  builder.payload(std::vector<std::uint8_t>(number_of(option(words, "size")).value_or(0), 7));
  if (what == "tcp" && words.size() > at + 1) return builder.tcp(flags_of(words[at + 1]));
  if (what == "udp") return builder.udp();
  if (what == "echo-request") return builder.echo(true);
  if (what == "echo-reply") return builder.echo(false);
  if (what == "who-has") return builder.neighbour_question();
  if (what == "is-at") return builder.neighbour_answer();
  if (what == "time-exceeded") return builder.time_exceeded(came_);
  if (const auto mtu = number_of(option(words, "mtu")); mtu && what == "too-big")
    return builder.too_big(came_, static_cast<std::uint16_t>(*mtu));
  if (what == "anything") return std::vector<std::uint8_t>();
  return std::nullopt;
}

}  // namespace sallyport::testing
