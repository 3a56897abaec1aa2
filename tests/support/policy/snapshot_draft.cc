#include "tests/support/policy/snapshot_draft.h"

#include "policy/base/check.h"

namespace sallyport::testing {

Draft draft_of(ConstBytes snapshot) {
  SALLYPORT_CHECK(wire::SnapshotView::verify(snapshot).has_value());
  Draft out;
  draft::GetSnapshot(snapshot.data() + wire::kSnapshotHeaderSize)->UnPackTo(&out);
  return out;
}

Bytes seal(const Draft& draft) {
  flatbuffers::FlatBufferBuilder builder;
  draft::FinishSnapshotBuffer(builder, draft::Snapshot::Pack(builder, &draft));
  return wire::seal_snapshot(draft.revision, {builder.GetBufferPointer(), builder.GetSize()});
}

Bytes reseal(ConstBytes snapshot, const std::function<void(MutableBytes body)>& change) {
  Bytes body(snapshot.begin() + wire::kSnapshotHeaderSize, snapshot.end());
  const std::uint64_t revision = wire::GetSnapshot(body.data())->revision();
  change(body);
  return wire::seal_snapshot(revision, body);
}

std::string verdict(ConstBytes snapshot) {
  const auto view = wire::SnapshotView::verify(snapshot);
  return view ? "accepted" : view.error().code + ": " + view.error().context;
}
std::string verdict(const Draft& draft) { return verdict(seal(draft)); }

}  // namespace sallyport::testing
