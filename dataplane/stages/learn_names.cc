#include "dataplane/stages/learn_names.h"

#include "dataplane/names/dns_answer.h"

namespace sallyport::dataplane {
namespace {

DnsQuestion question_of(const Flow& flow, const IpAddress& target, const DnsAsked& asked) {
  return {flow.client, target,     flow.at_client.port,
          asked.id,    asked.type, name_hash(asked.name.text())};
}

}  // namespace

void LearnNames::look_at_dns(const Packet& packet, const Flow& flow, const IpAddress& target,
                             Direction direction, const Tables& tables, Instant now) noexcept {
  const bool own_question = (flow.flags & kClientIsHost) != 0;
  if (!own_question && (flow.flags & kServerIsHost) == 0) return;
  const Headers& h = packet.meta().headers;
  const ConstBytes message =
      packet.bytes().subspan(h.payload, static_cast<std::size_t>(h.end - h.payload));
  if (direction == Direction::kFromClient) {
    if (!own_question) return;
    if (const auto asked = parse_dns_question(message)) {
      questions_.asked(question_of(flow, target, *asked), now);
    }
    return;
  }
  const auto answer = parse_dns_answer(message);
  if (!answer) return;
  if (own_question && !questions_.take(question_of(flow, target, answer->asked()), now)) return;
  const std::string_view text = answer->question().text();
  const auto destination_class = tables.names().destination_class(text);
  if (!destination_class) return;
  for (const DnsAddress& found : answer->addresses()) {
    names_.install(found.address, name_hash(text), *destination_class, found.ttl_s, now);
    ++counters_.names_learned;
    if (crew_ == nullptr) continue;
    Notice notice;
    notice.kind = Notice::Kind::kName;
    notice.address = found.address;
    notice.name = name_hash(text);
    notice.ttl_s = found.ttl_s;
    crew_->each_other([&](WorkerSlot other) {
      if (!crew_->tell(other, notice)) ++counters_.names_untold;
    });
  }
}

void LearnNames::told(const Notice& notice, const Tables& tables, Instant now) noexcept {
  if (const auto destination_class = tables.class_of_name(notice.name))
    names_.install(notice.address, notice.name, *destination_class, notice.ttl_s, now);
}

}  // namespace sallyport::dataplane
