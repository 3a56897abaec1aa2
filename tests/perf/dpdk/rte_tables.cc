#include "tests/perf/dpdk/rte_tables.h"

#include <rte_acl.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_memory.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace sallyport::bench {
namespace {

constexpr std::size_t kFields = 5;
RTE_ACL_RULE_DEF(AclRule, kFields);

std::unexpected<Error> refused(const char* what) {
  return fail(ErrorKind::kSystem, "no-figure", std::string(what) + ": " + rte_strerror(rte_errno));
}

std::array<std::uint8_t, 2> big_endian(std::uint16_t value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}
std::array<std::uint8_t, 4> bytes4(const IpAddress& address) {
  const std::uint32_t v = address.v4_value();
  return {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16),
          static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}

// rte_acl reads four bytes at a time: the ports share one input, as its guide has it.
rte_acl_field_def field(std::uint8_t number, std::uint8_t type, std::uint8_t size,
                        std::uint8_t input, std::size_t offset) {
  return {type, size, number, input, static_cast<std::uint32_t>(offset)};
}
rte_acl_config layout() {
  rte_acl_config out{};
  out.num_categories = 1;
  out.num_fields = kFields;
  out.defs[0] = field(0, RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, offsetof(AclTuple, protocol));
  out.defs[1] = field(1, RTE_ACL_FIELD_TYPE_MASK, 4, 1, offsetof(AclTuple, source));
  out.defs[2] = field(2, RTE_ACL_FIELD_TYPE_MASK, 4, 2, offsetof(AclTuple, destination));
  out.defs[3] = field(3, RTE_ACL_FIELD_TYPE_RANGE, 2, 3, offsetof(AclTuple, source_port));
  out.defs[4] = field(4, RTE_ACL_FIELD_TYPE_RANGE, 2, 3, offsetof(AclTuple, destination_port));
  return out;
}

AclRule rule_of(const dataplane::FlowKey& key, std::uint32_t verdict) {
  AclRule out{};
  out.data.category_mask = 1;
  out.data.priority = 1;
  out.data.userdata = verdict;
  out.field[0].value.u8 = static_cast<std::uint8_t>(key.protocol);
  out.field[0].mask_range.u8 = 0xff;
  out.field[1].value.u32 = key.source.v4_value();
  out.field[1].mask_range.u32 = 32;
  out.field[2].value.u32 = key.destination.v4_value();
  out.field[2].mask_range.u32 = 32;
  out.field[3].value.u16 = 0;
  out.field[3].mask_range.u16 = 0xffff;
  out.field[4].value.u16 = key.destination_port;
  out.field[4].mask_range.u16 = key.destination_port;
  return out;
}

}  // namespace

PackedKey PackedKey::of(const dataplane::FlowKey& key) {
  PackedKey out;
  auto at = std::ranges::copy(key.source.bytes(), out.bytes.begin()).out;
  at = std::ranges::copy(key.destination.bytes(), at).out;
  at = std::ranges::copy(big_endian(key.source_port), at).out;
  at = std::ranges::copy(big_endian(key.destination_port), at).out;
  *at = static_cast<std::uint8_t>(key.protocol);
  return out;
}

Result<RteHash> RteHash::make(std::uint32_t keys) {
  rte_hash_parameters parameters{};
  parameters.name = "bench";
  parameters.entries = std::bit_ceil(keys) * 2;  // as much room to spare as ours has
  parameters.key_len = sizeof(PackedKey);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = SOCKET_ID_ANY;
  rte_hash* table = rte_hash_create(&parameters);
  if (table == nullptr) return refused("rte_hash_create");
  return RteHash(table);
}
void RteHash::Free::operator()(rte_hash* table) const noexcept { rte_hash_free(table); }

bool RteHash::add(const PackedKey& key, dataplane::Flow* flow) {
  return rte_hash_add_key_data(table_.get(), &key, flow) == 0;
}
dataplane::Flow* RteHash::find(const PackedKey& key) const {
  void* out = nullptr;
  return rte_hash_lookup_data(table_.get(), &key, &out) < 0 ? nullptr
                                                            : static_cast<dataplane::Flow*>(out);
}
void RteHash::find_bulk(std::span<const PackedKey* const> keys,
                        std::span<dataplane::Flow*> out) const {
  std::array<const void*, kLookupBurst> questions{};
  std::array<void*, kLookupBurst> answers{};
  std::ranges::copy(keys, questions.begin());
  std::uint64_t hits = 0;
  rte_hash_lookup_bulk_data(table_.get(), questions.data(), static_cast<std::uint32_t>(keys.size()),
                            &hits, answers.data());
  for (std::size_t i = 0; i < keys.size(); ++i)
    out[i] = (hits >> i & 1) != 0 ? static_cast<dataplane::Flow*>(answers[i]) : nullptr;
}

AclTuple AclTuple::of(const dataplane::FlowKey& key) {
  return {static_cast<std::uint8_t>(key.protocol),
          {},
          bytes4(key.source),
          bytes4(key.destination),
          big_endian(key.source_port),
          big_endian(key.destination_port)};
}

Result<RteAcl> RteAcl::make(std::span<const dataplane::FlowKey> rules) {
  rte_acl_param parameters{};
  parameters.name = "bench";
  parameters.socket_id = SOCKET_ID_ANY;
  parameters.rule_size = RTE_ACL_RULE_SZ(kFields);
  parameters.max_rule_num = static_cast<std::uint32_t>(rules.size());
  RteAcl out(rte_acl_create(&parameters));
  if (out.context_ == nullptr) return refused("rte_acl_create");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const AclRule rule = rule_of(rules[i], static_cast<std::uint32_t>(i + 1));
    if (rte_acl_add_rules(out.context_.get(), reinterpret_cast<const rte_acl_rule*>(&rule), 1) != 0)
      return refused("rte_acl_add_rules");
  }
  const rte_acl_config config = layout();
  if (rte_acl_build(out.context_.get(), &config) != 0) return refused("rte_acl_build");
  return out;
}
void RteAcl::Free::operator()(rte_acl_ctx* context) const noexcept { rte_acl_free(context); }

void RteAcl::classify(std::span<const std::uint8_t* const> tuples,
                      std::span<std::uint32_t> out) const {
  std::array<const std::uint8_t*, kLookupBurst> data{};
  std::ranges::copy(tuples, data.begin());
  rte_acl_classify(context_.get(), data.data(), out.data(),
                   static_cast<std::uint32_t>(tuples.size()), 1);
}

}  // namespace sallyport::bench
