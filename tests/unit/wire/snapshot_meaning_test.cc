// What a well-formed snapshot may not say. Each case takes the sample plant's snapshot apart into
// the generated object form, changes one thing, and expects the verifier to name it.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "policy/wire/snapshot.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::wire {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Structures of the sample, to be changed in place: the body is ours until it is sealed again.
class Draft {
 public:
  Draft() : compiled_(testing::compiled(testing::sample_gateway())) {
    bytes_ = compiled_.snapshot;
    root_ = flatbuffers::GetMutableRoot<Snapshot>(bytes_.data() + kSnapshotHeaderSize);
  }
  Snapshot& root() { return *root_; }
  template <class T>
  T* at(const flatbuffers::Vector<const T*>* vector, std::size_t index) {
    return reinterpret_cast<T*>(const_cast<std::uint8_t*>(vector->Data())) + index;
  }
  template <class T>
  T* first(const flatbuffers::Vector<const T*>* vector,
           const std::function<bool(const T&)>& wanted) {
    for (std::size_t i = 0; i < vector->size(); ++i)
      if (wanted(*at(vector, i))) return at(vector, i);
    ADD_FAILURE() << "nothing to change";
    return nullptr;
  }
  std::string verdict() const {
    const Bytes sealed =
        seal_snapshot(root_->revision(), ConstBytes(bytes_).subspan(kSnapshotHeaderSize));
    const auto view = SnapshotView::verify(sealed);
    if (view) return "accepted";
    EXPECT_EQ(view.error().code, "snapshot-bad-meaning");
    return view.error().context;
  }

 private:
  compile::Compiled compiled_;
  Bytes bytes_;
  Snapshot* root_ = nullptr;
};

// Fields of structures have no setters: they are replaced whole, or written through their bytes.
template <class T>
void poke(T* where, std::size_t offset, std::uint64_t value, std::size_t size) {
  std::memcpy(reinterpret_cast<std::uint8_t*>(where) + offset, &value, size);
}

struct Case {
  const char* name;
  std::function<void(Draft&)> change;
  const char* says;
};

bool is_device(const Interval4& i) { return i.device() < kGatewayHost; }
bool occupied(const PairSlot& p) { return p.key() != 0; }

const Case kCases[] = {
    {"member of no segment", [](Draft& d) { *d.at(d.root().members(), 0) = Member(0, 0, 200); },
     "no segment 200"},
    {"member of no port", [](Draft& d) { *d.at(d.root().members(), 0) = Member(99, 0, 0); },
     "no port 99"},
    {"members out of order",
     [](Draft& d) { std::swap(*d.at(d.root().members(), 0), *d.at(d.root().members(), 1)); },
     "not sorted"},
    {"VLAN 4095", [](Draft& d) { *d.at(d.root().members(), 3) = Member(3, 4095, 2); }, "VLAN 4095"},
    {"device with a group MAC", [](Draft& d) { poke(d.at(d.root().devices(), 0), 0, 0x01, 1); },
     "MAC is no host's"},
    {"device with addresses past the end",
     [](Draft& d) {
       Device* device = d.at(d.root().devices(), 0);
       *device = Device(device->mac(), 1, 0, device->segment(), device->port(), device->vlan(),
                        0xfffffff0U, 2);
     },
     "addresses out of range"},
    {"device enrolled on the uplink",
     [](Draft& d) {
       Device* device = d.at(d.root().devices(), 0);
       *device = Device(device->mac(), 1, 0, 0, 0, 0, 0, 2);
     },
     "enrolled on an uplink"},
    {"device off its segment's ports",
     [](Draft& d) {
       Device* device = d.at(d.root().devices(), 0);
       *device = Device(device->mac(), 1, 0, device->segment(), 3, 7, 0, 2);
     },
     "not its segment's"},
    {"bind entry of another's MAC",
     [](Draft& d) {
       BindSlot* slot =
           d.first<BindSlot>(d.root().bind_table(), [](const auto& s) { return s.device() == 0; });
       *slot = BindSlot(slot->mac(), 0, 1);
     },
     "bind_table"},
    {"bind entry removed",
     [](Draft& d) {
       BindSlot* slot =
           d.first<BindSlot>(d.root().bind_table(), [](const auto& s) { return s.device() == 0; });
       *slot = BindSlot(Mac(), 0, kNoDevice);
     },
     "bind_table"},
    {"bind entry that no probe reaches",
     [](Draft& d) {
       BindSlot* from =
           d.first<BindSlot>(d.root().bind_table(), [](const auto& s) { return s.device() == 0; });
       const std::size_t mask = d.root().bind_table()->size() - 1;
       const std::size_t home = mac_hash(to_mac(from->mac()).bytes()) & mask;
       for (std::size_t step = mask; step > 0; --step) {
         BindSlot* to = d.at(d.root().bind_table(), (home + step) & mask);
         const bool gap =
             d.at(d.root().bind_table(), (home + step - 1) & mask)->device() == kNoDevice ||
             d.at(d.root().bind_table(), (home + step - 1) & mask) == from;
         if (to->device() != kNoDevice || !gap) continue;
         std::swap(*from, *to);
         return;
       }
     },
     "bind_table"},
    {"partition without its beginning",
     [](Draft& d) { poke(d.at(d.root().intervals4(), 0), 0, 1, 4); }, "lowest address"},
    {"partition out of order",
     [](Draft& d) { std::swap(*d.at(d.root().intervals4(), 3), *d.at(d.root().intervals4(), 4)); },
     "intervals4"},
    {"a device's address widened",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       Interval4* next = i + 1;
       poke(next, 0, next->first() + 1, 4);
     },
     "not the device's address"},
    {"a device's address given to another",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       poke(i, 4, i->device() + 1, 4);
     },
     "not the device's address"},
    {"a device's address given to nobody",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       poke(i, 4, kNoDevice, 4);
     },
     "not found"},
    {"the gateway at a device's address",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       poke(i, 4, kGatewayHost, 4);
     },
     "not the gateway's address"},
    {"a martian with a class", [](Draft& d) { poke(d.at(d.root().intervals4(), 0), 12, 1, 4); },
     "nowhere"},
    {"a source class out of range",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       poke(i, 8, 0xffffff, 4);
     },
     "class out of range"},
    {"an interval in no segment",
     [](Draft& d) {
       Interval4* i = d.first<Interval4>(d.root().intervals4(), is_device);
       poke(i, 16, 77, 2);
     },
     "no such segment"},
    {"mapped IPv4 addresses inside the IPv6 partition",
     [](Draft& d) {
       Interval6* i = d.first<Interval6>(d.root().intervals6(), [](const Interval6& x) {
         return x.first_high() == 0 && x.first_low() == 0xffff00000000U;
       });
       poke(i, 28, 0, 2);
     },
     "mapped"},
    {"pair with a stray bit",
     [](Draft& d) {
       PairSlot* p = d.first<PairSlot>(d.root().pairs(), occupied);
       *p = PairSlot(p->key() | 0x100, p->first(), p->count());
     },
     "pairs"},
    {"pair of ranges past the end",
     [](Draft& d) {
       PairSlot* p = d.first<PairSlot>(d.root().pairs(), occupied);
       *p = PairSlot(p->key(), p->first(), 0xffffffffU);
     },
     "out of bounds"},
    {"pair moved where no probe finds it",
     [](Draft& d) {
       PairSlot* p = d.first<PairSlot>(d.root().pairs(), occupied);
       *p = PairSlot(pair_key(1, 1, 6) ^ p->key() ^ 0xffff000000000000U, p->first(), p->count());
     },
     "pairs"},
    {"ports from zero", [](Draft& d) { poke(d.at(d.root().ranges(), 0), 0, 0, 2); }, "is empty"},
    {"ports the wrong way round", [](Draft& d) { poke(d.at(d.root().ranges(), 0), 2, 1, 2); },
     "is empty"},
    {"range of no rule", [](Draft& d) { poke(d.at(d.root().ranges(), 0), 4, 4000, 4); },
     "no such rule"},
    {"range of another rule's kind",
     [](Draft& d) {
       // Every list that named the conduit between office and field now names leg B.
       std::uint32_t direct = kNoRule;
       std::uint32_t leg_b = kNoRule;
       for (std::uint32_t r = 0; r < d.root().rules()->size(); ++r) {
         if (d.root().rules()->Get(r)->kind() == RuleKind::Direct) direct = r;
         if (d.root().rules()->Get(r)->kind() == RuleKind::LegB) leg_b = r;
       }
       for (std::size_t i = 0; i < d.root().ranges()->size(); ++i)
         if (d.at(d.root().ranges(), i)->rule() == direct)
           poke(d.at(d.root().ranges(), i), 4, leg_b, 4);
     },
     "does not fit its ends"},
    {"direct rule with a listener port",
     [](Draft& d) {
       Rule* r = d.first<Rule>(d.root().rules(), [](const Rule& x) {
         return x.valid() != 0 && x.kind() == RuleKind::Direct;
       });
       *r = Rule(1, r->conduit(), 0, 0, 0, 0, 40000, RuleKind::Direct, 1);
     },
     "listener port"},
    {"leg A with another's listener port",
     [](Draft& d) {
       Rule* r = d.first<Rule>(d.root().rules(),
                               [](const Rule& x) { return x.kind() == RuleKind::Terminate; });
       *r = Rule(1, r->conduit(), 1, 0, 0, 0, 41000, RuleKind::Terminate, 1);
     },
     "not its conduit's"},
    {"direct rule for a terminated conduit",
     [](Draft& d) {
       Rule* r = d.first<Rule>(d.root().rules(),
                               [](const Rule& x) { return x.kind() == RuleKind::Terminate; });
       *r = Rule(1, r->conduit(), 0, 0, 0, 0, 0, RuleKind::Direct, 1);
     },
     "its kind is not its conduit's"},
    {"direct rule of no conduit",
     [](Draft& d) {
       Rule* r = d.first<Rule>(d.root().rules(), [](const Rule& x) {
         return x.valid() != 0 && x.kind() == RuleKind::Direct;
       });
       *r = Rule(1, kNoConduit, 0, 0, 0, 0, 0, RuleKind::Direct, 1);
     },
     "no conduit"},
    {"a rule's hole with a name",
     [](Draft& d) {
       Rule* r = d.at(d.root().rules(), 0);
       poke(r, 31, 0, 1);
     },
     "a hole has a name"},
    {"two conduits with one listener port",
     [](Draft& d) {
       const auto* first = d.root().conduits()->Get(0)->termination();
       auto* second = const_cast<Termination*>(d.root().conduits()->Get(1)->termination());
       ASSERT_TRUE(first != nullptr && second != nullptr);
       ASSERT_TRUE(reinterpret_cast<flatbuffers::Table*>(second)->SetField<std::uint16_t>(
           Termination::VT_LISTENER_PORT, first->listener_port(), 0));
     },
     "listener port is another's"},
    {"a listener port outside the terminator's",
     [](Draft& d) {
       auto* t = const_cast<Termination*>(d.root().conduits()->Get(0)->termination());
       ASSERT_TRUE(reinterpret_cast<flatbuffers::Table*>(t)->SetField<std::uint16_t>(
           Termination::VT_LISTENER_PORT, 22, 0));
     },
     "listener port out of range"},
    {"a name that is none",
     [](Draft& d) { *const_cast<char*>(d.root().names()->Get(0)->name()->c_str()) = '/'; },
     "not a host name"},
    {"a device's name with a slash",
     [](Draft& d) { *const_cast<char*>(d.root().device_names()->Get(0)->c_str()) = '/'; },
     "no valid name"},
    {"a segment's name that drives a terminal",
     [](Draft& d) { *const_cast<char*>(d.root().segments()->Get(0)->name()->c_str()) = '\x1b'; },
     "no valid name"},
    {"a summary that drives a terminal",
     [](Draft& d) { *const_cast<char*>(d.root().conduits()->Get(0)->summary()->c_str()) = '\x1b'; },
     "summary is not text"},
};

TEST(SnapshotMeaning, TheSampleIsAccepted) { EXPECT_EQ(Draft().verdict(), "accepted"); }

TEST(SnapshotMeaning, WhatCannotBeMeantIsRefused) {
  for (const Case& c : kCases) {
    Draft draft;
    c.change(draft);
    const std::string verdict = draft.verdict();
    EXPECT_NE(verdict.find(c.says), std::string::npos) << c.name << ": " << verdict;
  }
}

}  // namespace
}  // namespace sallyport::wire
