#include "policy/os/envelope.h"

#include <utility>

#include "policy/os/memfd.h"

namespace sallyport::os {
namespace {

using flatbuffers::FlatBufferBuilder;

template <class T>
Bytes finish(FlatBufferBuilder& builder, std::uint64_t id, flatbuffers::Offset<T> body) {
  builder.Finish(wire::CreateEnvelope(builder, id, wire::BodyTraits<T>::enum_value, body.Union()),
                 wire::EnvelopeIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

std::string_view text(const flatbuffers::String* string) {
  return string == nullptr ? std::string_view() : std::string_view(string->c_str(), string->size());
}

// The kind does not travel: what a sibling refuses is refused.
Error reported(const flatbuffers::String* code, const flatbuffers::String* context) {
  return {ErrorKind::kRefused, std::string(text(code)), std::string(text(context))};
}

}  // namespace

Bytes encode_configure(std::uint64_t id, std::span<const PortSpec> ports) {
  FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::PortSpec>> specs;
  for (const PortSpec& port : ports) {
    specs.push_back(
        wire::CreatePortSpecDirect(builder, port.slot, port.name.c_str(), port.device.c_str()));
  }
  return finish(builder, id, wire::CreateConfigureDirect(builder, &specs));
}

Bytes encode_attach_tap(std::uint64_t id, std::uint16_t segment, std::string_view name,
                        bool detach) {
  FlatBufferBuilder builder;
  return finish(builder, id,
                wire::CreateAttachTap(builder, segment, builder.CreateString(name), detach));
}

Bytes encode_apply(std::uint64_t id, std::uint64_t revision, wire::Phase phase) {
  FlatBufferBuilder builder;
  return finish(builder, id, wire::CreateApply(builder, revision, phase));
}

Bytes encode_attach_ring(std::uint64_t id, std::uint32_t generation) {
  FlatBufferBuilder builder;
  return finish(builder, id, wire::CreateAttachRing(builder, generation));
}

Bytes encode_query(std::uint64_t id, std::string_view what,
                   std::span<const std::string> arguments) {
  FlatBufferBuilder builder;
  const auto list =
      builder.CreateVectorOfStrings(std::vector<std::string>(arguments.begin(), arguments.end()));
  return finish(builder, id, wire::CreateQuery(builder, builder.CreateString(what), list));
}

Bytes encode_ack(std::uint64_t id, std::uint64_t revision, const Result<void>& outcome) {
  FlatBufferBuilder builder;
  const auto code = builder.CreateString(outcome ? "" : outcome.error().code);
  const auto context = builder.CreateString(outcome ? "" : outcome.error().context);
  return finish(builder, id,
                wire::CreateAck(builder, outcome.has_value(), revision, code, context));
}

Bytes encode_event(std::string_view kind, std::string_view json) {
  FlatBufferBuilder builder;
  const auto kind_offset = builder.CreateString(kind);
  return finish(builder, 0, wire::CreateEvent(builder, kind_offset, builder.CreateString(json)));
}

Result<Outgoing> encode_answer(std::uint64_t id, std::string_view json) {
  Outgoing out;
  FlatBufferBuilder builder;
  const bool attached = json.size() > kLargestInlineJson;
  if (attached) {
    SALLYPORT_TRY(UniqueFd memory,
                  make_sealed("sallyport-answer",
                              {reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}));
    out.descriptors.push_back(std::move(memory));
  }
  const auto inline_json = builder.CreateString(attached ? std::string_view() : json);
  out.bytes = finish(builder, id, wire::CreateAnswer(builder, true, inline_json, 0, 0, attached));
  return out;
}

Bytes encode_answer_error(std::uint64_t id, const Error& error) {
  FlatBufferBuilder builder;
  const auto code = builder.CreateString(error.code);
  const auto context = builder.CreateString(error.context);
  return finish(builder, id, wire::CreateAnswer(builder, false, 0, code, context, false));
}

Result<void> send(int socket, const Outgoing& message) {
  std::vector<int> descriptors;
  for (const UniqueFd& fd : message.descriptors) descriptors.push_back(fd.get());
  return send_datagram(socket, message.bytes, descriptors);
}

Result<const wire::Envelope*> decode(ConstBytes bytes) {
  constexpr flatbuffers::uoffset_t kDepth = 8;
  constexpr flatbuffers::uoffset_t kTables = 4096;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kDepth, kTables);
  if (bytes.size() < 8 || bytes.size() > kMaxMessageSize || !wire::VerifyEnvelopeBuffer(verifier)) {
    return fail(ErrorKind::kInvalid, "message-malformed",
                "not a well-formed message of this version");
  }
  const wire::Envelope* envelope = wire::GetEnvelope(bytes.data());
  // The verifier passes over body types that this version does not know.
  if (envelope->body() == nullptr || envelope->body_type() > wire::Body::MAX)
    return fail(ErrorKind::kInvalid, "message-malformed", "message without a body");
  return envelope;
}

Result<void> outcome_of(const wire::Envelope& envelope) {
  if (const wire::Ack* ack = envelope.body_as_Ack()) {
    if (ack->ok()) return {};
    return fail(reported(ack->code(), ack->context()));
  }
  if (const wire::Answer* answer = envelope.body_as_Answer()) {
    if (answer->ok()) return {};
    return fail(reported(answer->code(), answer->context()));
  }
  return fail(ErrorKind::kInvalid, "message-unexpected",
              "neither an acknowledgement nor an answer");
}

Result<std::string> json_of(const wire::Envelope& envelope, std::span<const UniqueFd> descriptors) {
  SALLYPORT_TRY_VOID(outcome_of(envelope));
  const wire::Answer* answer = envelope.body_as_Answer();
  if (answer == nullptr)
    return fail(ErrorKind::kInvalid, "message-unexpected", "an acknowledgement has no text");
  if (!answer->attached()) return std::string(text(answer->json()));
  if (descriptors.size() != 1)
    return fail(ErrorKind::kInvalid, "message-unexpected", "the answer's memory is missing");
  SALLYPORT_TRY(const Mapping memory, map_sealed(descriptors[0].get(), kLargestAttachedJson));
  return std::string(reinterpret_cast<const char*>(memory.bytes().data()), memory.size());
}

std::string_view argument(const wire::Query& query, std::string_view name) {
  if (query.arguments() == nullptr) return {};
  for (const flatbuffers::String* entry : *query.arguments()) {
    const std::string_view pair = text(entry);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace sallyport::os
