#include "tests/support/dpdk_memory.h"

#include <rte_mempool.h>

namespace sallyport::testing {

std::span<const std::byte> memory_of(const dataplane::PacketPool& pool) {
  std::span<const std::byte> out;
  // One piece (dataplane/dpdk/eal.cc).
  const auto take = [](rte_mempool*, void* to, rte_mempool_memhdr* chunk, unsigned) {
    *static_cast<std::span<const std::byte>*>(to) = {static_cast<const std::byte*>(chunk->addr),
                                                     chunk->len};
  };
  SALLYPORT_CHECK(rte_mempool_mem_iter(pool.raw(), take, &out) == 1);
  return out;
}

}  // namespace sallyport::testing
