// DPDK's own tables, as peers of our flow table and classifier: rte_hash over flow keys, rte_acl
// over conduits. Needs a started EAL. Thread: one.
//
// Failures: an error "no-figure" that names what DPDK refused.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/flow/flow.h"
#include "policy/base/result.h"

struct rte_acl_ctx;
struct rte_hash;

namespace sallyport::bench {

inline constexpr std::size_t kLookupBurst = 32;

// A flow's key without padding, as rte_hash compares it.
struct PackedKey {
  std::array<std::uint8_t, 40> bytes{};
  static PackedKey of(const dataplane::FlowKey& key);
};

class RteHash {
 public:
  // For so many keys; hashed by CRC32, DPDK's usual.
  static Result<RteHash> make(std::uint32_t keys);
  // False if there is no room.
  bool add(const PackedKey& key, dataplane::Flow* flow);
  dataplane::Flow* find(const PackedKey& key) const;
  // As many as kLookupBurst; nullptr where there is none.
  void find_bulk(std::span<const PackedKey* const> keys, std::span<dataplane::Flow*> out) const;

 private:
  struct Free {
    void operator()(rte_hash* table) const noexcept;
  };
  explicit RteHash(rte_hash* table) : table_(table) {}
  std::unique_ptr<rte_hash, Free> table_;
};

// What rte_acl looks at, in network order.
struct AclTuple {
  std::uint8_t protocol = 0;
  std::array<std::uint8_t, 3> unused{};
  std::array<std::uint8_t, 4> source{}, destination{};
  std::array<std::uint8_t, 2> source_port{}, destination_port{};
  static AclTuple of(const dataplane::FlowKey& key);
};

class RteAcl {
 public:
  // IPv4 keys; each permits any source port to its addresses, protocol and destination port. The
  // verdict of rule i is i + 1.
  static Result<RteAcl> make(std::span<const dataplane::FlowKey> rules);
  // As many as kLookupBurst; 0 = no rule.
  void classify(std::span<const std::uint8_t* const> tuples, std::span<std::uint32_t> out) const;

 private:
  struct Free {
    void operator()(rte_acl_ctx* context) const noexcept;
  };
  explicit RteAcl(rte_acl_ctx* context) : context_(context) {}
  std::unique_ptr<rte_acl_ctx, Free> context_;
};

}  // namespace sallyport::bench
