// Neighbours of control in this process: they listen on real sockets and speak real records and
// envelopes, answer as told, and remember what they were asked. Not stubs of our code: of other
// processes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/os/envelope.h"
#include "policy/os/seqpacket.h"
#include "policy/wire/setup_protocol.h"

namespace sallyport::test {

// One client at a time.
class FakeServer {
 public:
  explicit FakeServer(std::string path) : path_(std::move(path)) { listen(); }
  virtual ~FakeServer() = default;
  void listen();
  void die();         // connection and listener end
  void disconnect();  // the connection alone
  void run();
  bool connected() const { return static_cast<bool>(client_); }

 protected:
  virtual void handle(os::Datagram datagram) = 0;
  virtual void accepted() {}
  int client() const { return client_.get(); }

 private:
  std::string path_;
  os::UniqueFd listener_;
  os::UniqueFd client_;
};

class FakeSetup : public FakeServer {
 public:
  using FakeServer::FakeServer;
  std::map<std::string, std::uint32_t> mtus;
  std::vector<std::string> log;  // "segment-create field", in order
  std::set<std::string> stacks;
  std::set<wire::SetupOp> refuse;  // answered with EPERM

 protected:
  void handle(os::Datagram datagram) override;
};

class FakeSibling : public FakeServer {
 public:
  FakeSibling(std::string path, std::string name, std::vector<std::string>& journal)
      : FakeServer(std::move(path)), name_(std::move(name)), journal_(journal) {}

  std::map<std::string, std::string> refuse;  // "prepare" -> code
  std::set<std::string> silent;               // received, never answered
  std::set<std::string> dies;                 // received, and the connection ends
  std::uint64_t in_force = 0;                 // revision committed
  std::uint64_t prepared = 0;
  // What it enforces: the dataplane swaps when it prepares, the terminator when it commits.
  std::uint64_t running = 0;
  std::set<std::string> taps;
  std::uint32_t ring = 0;
  std::vector<std::string> ports;
  std::function<std::string(const wire::Query&)> answer;
  void send_event(const std::string& kind, const std::string& json);
  void send_raw(ConstBytes bytes);

 protected:
  void handle(os::Datagram datagram) override;
  void accepted() override {
    in_force = prepared = running = 0;
    taps.clear();
    ring = 0;
    ports.clear();
  }

 private:
  void act(const wire::Envelope& envelope, const os::Datagram& datagram);
  std::string name_;
  std::vector<std::string>& journal_;  // "terminator prepare 1", across siblings, in order
};

}  // namespace sallyport::test
