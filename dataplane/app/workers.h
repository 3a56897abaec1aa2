// All workers of this process: each with its own pools, pipeline, queues and events, and nothing
// that two of them write but the crossings between them (dataplane/crew.h). The first one has the
// host stacks and the handshake credits (dataplane/owner.h).
//
// A port that has a queue for each worker is read by all of them; one that has not is read by one,
// in turn, and what others send by it crosses to that one.
//
// Thread: the control thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dataplane/app/worker.h"
#include "dataplane/crew.h"
#include "dataplane/dpdk/eal.h"

namespace sallyport::dataplane {

class Workers {
 public:
  // Memory for `count` of them; DPDK runs. `options.flows` are divided among them, as are the ports
  // that stand for inside endpoints. kExhausted "dpdk-pool".
  static Result<std::unique_ptr<Workers>> make(std::size_t count, PipelineOptions options);
  ~Workers();

  // A pool for each, to receive into.
  std::span<PacketPool> pools() { return pools_; }
  const Crossings& crossings() const { return crossings_; }
  // Who reads the next port, if it has not a queue for each.
  std::size_t next_reader() const { return attached_ % seats_.size(); }
  // The next port; it outlives the workers. Its drivers: one, or one for each worker.
  void attach(PortSlot slot, EthPort& port);
  void attach(PortSlot slot, std::span<PortDriver* const> rx, std::span<PortDriver* const> tx);
  // Then no more ports. `longest_doze`: as Worker's.
  void prepare(TapThread& taps, Duration longest_doze = Doze::kLongest);
  void start();

  std::size_t size() const { return seats_.size(); }
  // Do all of them sleep until they are woken?
  bool woken() const noexcept;
  std::uint32_t free_packets() const;
  // While they do not run.
  Worker& worker(WorkerSlot place) { return *seats_[place]->worker; }
  Pipeline& pipeline(WorkerSlot place) { return seats_[place]->pipeline; }
  // The one with the host stacks and the credits.
  Worker& first() { return *seats_.front()->worker; }
  // On each in turn, between two of its bursts.
  using Work = std::function<void(Worker&, Pipeline&)>;
  void on_each(const Work& work);
  // On the one whose packets of this flow are under these tables.
  void on_owner(const FlowKey& key, const Tables& tables,
                const std::function<void(Pipeline&)>& work);
  // Worker::watch of each.
  void watch(Instant now) noexcept;
  // The next event of any of them; false if there is none.
  bool take_event(Event& out);

 private:
  struct alignas(kCacheLine) Seat {
    Seat(const PipelineOptions& options, PacketPool& own_pool, PacketPool& own_datagrams)
        : pool(own_pool), datagrams(own_datagrams), pipeline(options, pool, datagrams, events) {}
    PacketPool pool;
    PacketPool datagrams;
    std::vector<Worker::Port> ports;
    std::unique_ptr<Worker> worker;  // ends first, see ~Workers
    Events events;
    Pipeline pipeline;
  };
  explicit Workers(std::size_t count) : crossings_(count) {}

  Crossings crossings_;
  std::vector<PacketPool> pools_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::size_t attached_ = 0;  // ports so far
};

}  // namespace sallyport::dataplane
