// Every bit of the snapshot matters to the proof or to nobody: each bit of the sample plant's body
// is flipped, the digest made right again, and whatever the verifier accepts must either be refused
// by the proof or be one of the things that carry no policy, named here one by one.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <iostream>
#include <map>
#include <set>

#include "policy/decide/classifier.h"
#include "policy/prove/prove.h"
#include "policy/prove/ranges.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::prove {
namespace {

using testing::Bytes;
using testing::Draft;

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
  } else {
    return a == b;
  }
}

// Takes out of `a` what differs from `b` although the proof does not look at it, and names it.
std::string without_policy(Draft& a, const Draft& b) {
  std::string out;
  const auto take_out = [&](const char* what, auto& is, const auto& was) {
    if (same(is, was)) return;
    is = was;
    out += std::string(" ") + what;
  };
  // The text's own digest (control makes it of the very text), and words for people.
  take_out("config_sha256", a.config_sha256, b.config_sha256);
  take_out("config_name", a.config_name, b.config_name);
  for (std::size_t c = 0; c < a.conduits.size(); ++c) {
    take_out("summary", a.conduits[c]->summary, b.conduits[c]->summary);
    // Of no meaning without a name that is asked for.
    if (a.conduits[c]->name_asked.empty() && b.conduits[c]->name_asked.empty())
      take_out("name_segment", a.conduits[c]->name_segment, b.conduits[c]->name_segment);
  }
  // The identity of a rule's meaning between two revisions; unit_compile judges that it changes.
  for (std::size_t r = 0; r < a.rules.size(); ++r) {
    if (a.rules[r].meaning() == b.rules[r].meaning()) continue;
    a.rules[r].mutate_meaning(b.rules[r].meaning());
    out += " meaning";
  }
  // MACs of segments for which nobody chose one.
  for (std::size_t s = 0; s < a.segments.size(); ++s)
    take_out("derived MAC", *a.segments[s]->mac, *b.segments[s]->mac);
  return out;
}

// Two snapshots under which every address lives in the same place and every packet meets the same
// decision, asked of the classifier itself at all edges of both: classes and intervals may have
// other numbers for the same.
class Decisions {
 public:
  Decisions(const wire::SnapshotView& a, const wire::SnapshotView& b)
      : a_(a), b_(b), views_{a, b} {}

  bool are_the_same() {
    std::set<IpAddress> starts;
    for (const wire::SnapshotView& view : views_) {
      for (const auto& i : view.intervals4()) starts.insert(IpAddress::v4(i.first()));
      for (const auto& i : view.intervals6())
        starts.insert(address_of(static_cast<Number>(i.first_high()) << 64 | i.first_low()));
      for (const auto& r : view.ranges())
        for (const int port :
             {r.first_port() - 1, int{r.first_port()}, int{r.last_port()}, r.last_port() + 1})
          ports_.insert(static_cast<std::uint16_t>(port));
    }
    std::set<Classes> sources[2];  // by version: no packet has two
    std::set<Classes> destinations[2];
    for (const IpAddress& start : starts) {
      const decide::Location is = a_.locate(start);
      const decide::Location was = b_.locate(start);
      if (is.segment != was.segment || is.device != was.device) return false;
      sources[start.is_v4() ? 0 : 1].emplace(is.source_class, was.source_class);
      destinations[start.is_v4() ? 0 : 1].emplace(is.destination_class, was.destination_class);
    }
    for (flatbuffers::uoffset_t n = 0; n < views_[0].root().names()->size(); ++n) {
      const Classes named(views_[0].root().names()->Get(n)->destination_class(),
                          views_[1].root().names()->Get(n)->destination_class());
      for (auto& version : destinations) version.insert(named);
    }
    for (const std::size_t version : {0U, 1U})
      for (const Classes& from : sources[version])
        for (const Classes& to : destinations[version])
          if (!same(from, to)) return false;
    return true;
  }

 private:
  using Classes = std::pair<std::uint32_t, std::uint32_t>;

  bool same(const Classes& from, const Classes& to) const {
    for (const int protocol : {1, 6, 17, 58}) {
      for (const std::uint16_t port : ports_) {
        const auto is = a_.decide(from.first, to.first, static_cast<std::uint8_t>(protocol), port);
        const auto was =
            b_.decide(from.second, to.second, static_cast<std::uint8_t>(protocol), port);
        if (is.rule() != was.rule()) return false;
      }
    }
    return true;
  }

  const decide::Classifier a_;
  const decide::Classifier b_;
  std::array<wire::SnapshotView, 2> views_;
  std::set<std::uint16_t> ports_;
};

TEST(Bits, EachOneIsProvenOrCarriesNoPolicy) {
  const model::Gateway gateway = testing::sample_gateway();
  const Bytes sealed = testing::compiled(gateway).snapshot;
  const Draft before = testing::draft_of(sealed);
  const Bytes canonical = testing::seal(before);
  const wire::SnapshotView original = *wire::SnapshotView::verify(sealed);
  std::map<std::string, std::size_t> seen;
  for (std::size_t bit = 0; bit < 8 * (sealed.size() - wire::kSnapshotHeaderSize); ++bit) {
    const Bytes flipped = testing::reseal(sealed, [&](MutableBytes body) {
      body[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    });
    const auto view = wire::SnapshotView::verify(flipped);
    if (!view) {
      ++seen["refused by the verifier"];
    } else if (!prove(*view, gateway, std::nullopt).holds()) {
      ++seen["refused by the proof"];
    } else {
      Draft after = testing::draft_of(flipped);
      std::string what = without_policy(after, before);
      if (testing::seal(after) != canonical) {
        EXPECT_TRUE(Decisions(*view, original).are_the_same()) << "bit " << bit << what;
        what += " other numbers for the same";
      }
      // The rest is padding, and what FlatBuffers itself does not look at.
      ++seen["carries no policy:" + (what.empty() ? " padding" : what)];
    }
  }
  for (const auto& [what, count] : seen) std::cout << count << " " << what << "\n";
  EXPECT_GT(seen["refused by the proof"], 1000U);
  EXPECT_EQ(seen.count("carries no policy: derived MAC"), 1U);
}

}  // namespace
}  // namespace sallyport::prove
