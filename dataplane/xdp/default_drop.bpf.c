// The XDP program on every AF_XDP port: a frame goes to the dataplane's socket of its queue, or nowhere. The kernel's own
// stack never sees one, also while the dataplane is starting, stopped or killed (the program stays, its map is empty then).
// Loaded by DPDK's net_af_xdp through its xdp_prog argument, which wants the map to be called xsks_map. 2.4.7.3.
#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

// As libbpf's bpf_helpers.h spells them; written out so that no header of another architecture is needed.
#define MAP_UINT(name, value) int (*name)[value]
static long (*const redirect_map)(void* map, __u64 key, __u64 flags) = (void*)51;

struct {
  MAP_UINT(type, BPF_MAP_TYPE_XSKMAP);
  MAP_UINT(key_size, sizeof(__u32));
  MAP_UINT(value_size, sizeof(__u32));
  MAP_UINT(max_entries, 64);
} xsks_map SECTION(".maps");

SECTION("xdp")
int sallyport_default_drop(struct xdp_md* context) {
  return (int)redirect_map(&xsks_map, context->rx_queue_index, XDP_DROP);
}

char license_text[] SECTION("license") = "GPL";
