#include "dataplane/stages/icmp_error.h"

#include "dataplane/stages/parse.h"

namespace sallyport::dataplane {
namespace {

// It must come from the side to which the quoted packet went.
bool from_the_far_side(const PacketMeta& error, const RelatedFlow& found, const Tables& tables) {
  const Flow& flow = *found.flow;
  const bool far_is_server = found.to_client;
  const SegmentSlot segment = (far_is_server ? flow.at_server : flow.at_client).segment();
  const bool host = (flow.flags & (far_is_server ? kServerIsHost : kClientIsHost)) != 0;
  if (error.segment != segment || host != (error.origin == Origin::kHostStack)) return false;
  const SegmentInfo* info = tables.segment(segment);
  if (info == nullptr || host || !info->devices_only()) return info != nullptr;
  return error.device == (far_is_server ? flow.at_server : flow.at_client).device();
}

}  // namespace

std::optional<RelatedFlow> related_flow(const BoundPacket& error, FlowTable& flows,
                                        const Tables& tables) noexcept {
  const auto quote = parse_quote(error.bytes(), error.headers());
  if (!quote || quote->source != error.headers().destination) return std::nullopt;
  const FlowKey sent{quote->source, quote->destination, quote->source_port, quote->destination_port,
                     quote->protocol};
  RelatedFlow found;
  if (const FlowMatch match = flows.find(sent); match && !match.flow->rewritten()) {
    found = {match.flow, match.direction == Direction::kFromClient, false};
  } else {
    // What was rewritten on its way out stands in the table as its answer comes in.
    const FlowMatch answer = flows.find(
        {sent.destination, sent.source, sent.destination_port, sent.source_port, sent.protocol});
    if (!answer || !answer.flow->rewritten()) return std::nullopt;
    const bool by_client = answer.direction == Direction::kFromServer;
    // Nobody is told of what a listener in the host stack was sent.
    if (by_client && !answer.flow->mapped()) return std::nullopt;
    found = {answer.flow, by_client, true};
  }
  if (!from_the_far_side(error.meta(), found, tables)) return std::nullopt;
  return found;
}

}  // namespace sallyport::dataplane
