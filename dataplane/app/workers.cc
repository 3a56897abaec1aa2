#include "dataplane/app/workers.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kPoolPackets = 16383;

}  // namespace

Result<std::unique_ptr<Workers>> Workers::make(std::size_t count, PipelineOptions options) {
  std::unique_ptr<Workers> out(new Workers(count));
  const Owners owners(count);
  options.flows = static_cast<std::uint32_t>((options.flows + count - 1) / count);
  for (const WorkerSlot i : all_of(count)) {
    const std::string number = std::to_string(i);
    SALLYPORT_TRY(PacketPool pool,
                  make_packet_pool(kPoolPackets, kWholeFrame, ("packets" + number).c_str()));
    SALLYPORT_TRY(PacketPool datagrams, make_datagram_pool(("datagrams" + number).c_str()));
    if (count > 1) options.crew.emplace(i, out->crossings_);
    options.nat_ports = owners.share(i);
    out->pools_.push_back(pool);
    out->seats_.push_back(std::make_unique<Seat>(options, pool, datagrams));
    if (i == kFirstWorker) continue;
    out->seats_.back()->pipeline.exits().reach_host_stacks(
        out->crossings_.at(i, kFirstWorker).permitted);
  }
  return out;
}

Workers::~Workers() {
  for (const auto& seat : seats_) seat->worker.reset();  // all stop before any table goes
}

void Workers::attach(PortSlot slot, EthPort& port) {
  const auto queues = [&](std::size_t count) {
    std::vector<PortDriver*> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(&port.queue(i));
    return out;
  };
  attach(slot, queues(port.rx_queues()), queues(port.tx_queues()));
}

void Workers::attach(PortSlot slot, std::span<PortDriver* const> rx,
                     std::span<PortDriver* const> tx) {
  const auto reader = static_cast<WorkerSlot>(next_reader());
  ++attached_;
  for (const WorkerSlot i : all_of(seats_.size())) {
    Seat& seat = *seats_[i];
    if (rx.size() > 1 || i == reader) seat.ports.push_back({slot, rx[rx.size() > 1 ? i : 0]});
    if (tx.size() > 1 || i == reader)
      seat.pipeline.exits().attach_port(slot, *tx[tx.size() > 1 ? i : 0]);
    else
      seat.pipeline.exits().reach_port(slot, crossings_.at(i, reader).permitted);
  }
}

void Workers::prepare(TapThread& taps, Duration longest_doze) {
  for (const WorkerSlot i : all_of(seats_.size()))
    seats_[i]->worker =
        std::make_unique<Worker>(seats_[i]->pipeline, taps, seats_[i]->ports,
                                 "worker" + (i == 0 ? "" : std::to_string(i)), longest_doze);
  for (const WorkerSlot i : all_of(seats_.size()))
    for (const WorkerSlot other : all_of(seats_.size()))
      if (other != i) worker(i).stand_beside(crossings_.at(i, other), worker(other).bell());
}

bool Workers::woken() const noexcept {
  return std::ranges::all_of(seats_, [](const auto& seat) { return seat->worker->woken(); });
}

void Workers::start() {
  for (const auto& seat : seats_) seat->worker->start();
}

std::uint32_t Workers::free_packets() const {
  return std::accumulate(
      pools_.begin(), pools_.end(), 0U,
      [](std::uint32_t sum, const PacketPool& p) { return sum + p.free_count(); });
}

void Workers::on_each(const Work& work) {
  for (const auto& seat : seats_)
    seat->worker->do_between_bursts([&](Pipeline& p) { work(*seat->worker, p); });
}

void Workers::on_owner(const FlowKey& key, const Tables& tables,
                       const std::function<void(Pipeline&)>& work) {
  seats_[Owners(seats_.size()).of(key, tables)]->worker->do_between_bursts(work);
}

void Workers::watch(Instant now) noexcept {
  for (const auto& seat : seats_) seat->worker->watch(now);
}

bool Workers::take_event(Event& out) {
  return std::ranges::any_of(seats_, [&](const auto& seat) { return seat->events.take(out); });
}

}  // namespace sallyport::dataplane
