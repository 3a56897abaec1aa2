// Messages of policy/wire/messages.fbs as bytes, both ways. Decoding verifies the FlatBuffer
// (structure, bounds, identifier) before anything of it is read; a message that fails is refused
// whole, and its sender is not to be trusted further.
//
// Values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"
#include "policy/os/seqpacket.h"
#include "policy/wire/messages_generated.h"

namespace sallyport::os {

// JSON answers above this size travel in a sealed memfd beside the message.
inline constexpr std::size_t kLargestInlineJson = 32 * 1024;
// What a receiver maps of such a memfd at most.
inline constexpr std::size_t kLargestAttachedJson = std::size_t{64} << 20;

struct PortSpec {
  std::uint16_t slot = 0;
  std::string name;
  std::string device;
};

using Bytes = std::vector<std::uint8_t>;
Bytes encode_configure(std::uint64_t id, std::span<const PortSpec> ports);
Bytes encode_attach_tap(std::uint64_t id, std::uint16_t segment, std::string_view name,
                        bool detach);
Bytes encode_apply(std::uint64_t id, std::uint64_t revision, wire::Phase phase);
Bytes encode_attach_ring(std::uint64_t id, std::uint32_t generation);
Bytes encode_query(std::uint64_t id, std::string_view what, std::span<const std::string> arguments);
Bytes encode_ack(std::uint64_t id, std::uint64_t revision, const Result<void>& outcome);
Bytes encode_event(std::string_view kind, std::string_view json);

// A message ready to send: bytes and the descriptors that go with them.
struct Outgoing {
  Outgoing() = default;
  Outgoing(Outgoing&&) noexcept = default;
  Outgoing& operator=(Outgoing&&) noexcept = default;
  Bytes bytes;
  std::vector<UniqueFd> descriptors;
};
// A large answer moves into a sealed memfd by itself.
Result<Outgoing> encode_answer(std::uint64_t id, std::string_view json);
Bytes encode_answer_error(std::uint64_t id, const Error& error);
Result<void> send(int socket, const Outgoing& message);

// Verified view into `bytes`, which must outlive it. kInvalid "message-malformed" otherwise; a
// message without a body is malformed.
Result<const wire::Envelope*> decode(ConstBytes bytes);

// The outcome an Ack or Answer reports; kInvalid if the envelope holds neither.
Result<void> outcome_of(const wire::Envelope& envelope);
// The JSON text of an Answer, inline or attached.
Result<std::string> json_of(const wire::Envelope& envelope, std::span<const UniqueFd> descriptors);
// The value of "name=value" among a Query's arguments; empty if absent.
std::string_view argument(const wire::Query& query, std::string_view name);

}  // namespace sallyport::os
