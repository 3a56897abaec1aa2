// Moves bytes between the two legs of an established conversation, both ways, within fixed buffers:
// a slow reader stops the other side's writer (TCP's own back-pressure), never grows memory. Ends
// are carried over one direction at a time: close_notify or FIN on one leg, after its last byte is
// delivered, becomes close_notify and FIN on the other.
//
// With an inspector only what it passes moves on. One thread; no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tls-termination/inspect/modbus.h"
#include "tls-termination/relay/leg.h"

namespace sallyport::terminator {

inline constexpr std::size_t kPipeSize = 16 * 1024;
// What inspection may add above kPipeSize: exceptions are 9 bytes for at least 8 of a request.
inline constexpr std::size_t kInspectChunk = 4 * 1024;

enum class RelayState : std::uint8_t { kRunning, kFinished, kFailed };

class Relay {
 public:
  // Both legs outlive the relay. `inspector` may be empty.
  Relay(Leg& client, Leg& server, std::unique_ptr<ModbusInspector> inspector);

  // Moves what can be moved now. kFinished: both directions ended in order. kFailed: failure().
  RelayState step();

  // What to wait for on each leg, as epoll events. `again` means step() stopped for fairness.
  std::uint32_t client_events() const;
  std::uint32_t server_events() const;
  bool again() const { return again_; }

  // One side has said that it will send no more.
  bool half_closed() const { return up_.source_ended || down_.source_ended; }
  std::uint64_t bytes_up() const { return up_.moved; }
  std::uint64_t bytes_down() const { return down_.moved; }
  std::size_t buffered() const { return up_.bytes.size() + down_.bytes.size(); }
  const Error& failure() const { return failure_; }
  // Refusals since the last call; one step brings no more than its rounds can read.
  std::vector<RefusedRequest> take_refused() { return std::exchange(refused_, {}); }

 private:
  // One direction. `done` bytes at the front of `bytes` have been delivered.
  struct Pipe {
    std::vector<std::uint8_t> bytes;
    std::size_t done = 0;
    bool source_ended = false;  // the source said goodbye
    bool ended = false;         // and the sink was told
    bool sink_blocked = false;
    std::uint64_t moved = 0;
    std::size_t waiting() const { return bytes.size() - done; }
  };
  // Each returns whether anything moved; failures are in failed_.
  bool fill(Leg& source, Pipe& pipe, Pipe& back);
  bool drain(Pipe& pipe, Leg& sink);
  bool take(ConstBytes bytes, Pipe& pipe, Pipe& back);
  bool room(const Pipe& pipe, const Pipe& back) const;
  bool flush(Leg& leg);
  std::uint32_t events(const Leg& leg, const Pipe& from, const Pipe& to) const;
  void fail_with(Error error);

  Leg& client_;
  Leg& server_;
  std::unique_ptr<ModbusInspector> inspector_;
  Pipe up_;    // client to server
  Pipe down_;  // server to client
  bool failed_ = false;
  bool again_ = false;
  Error failure_;
  std::vector<RefusedRequest> refused_;
};

}  // namespace sallyport::terminator
