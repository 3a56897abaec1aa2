#include "tests/unit/control/app/control_world.h"

#include <filesystem>
#include <fstream>

#include "policy/os/memfd.h"

namespace sallyport::control {

using nlohmann::json;

void ControlTest::SetUp() {
  Loop::quiet();
  ASSERT_TRUE(server_.available()) << "ovsdb-server is not installed: ./dev deps";
  run_ = server_.folder() + "/run";
  for (const char* name : {"setup", "terminator", "dataplane", "control"})
    std::filesystem::create_directories(run_ + "/" + name);
  std::filesystem::create_directory_symlink(server_.folder(), run_ + "/db");
  std::filesystem::create_symlink(server_.folder() + "/db.sock", server_.folder() + "/socket");
  server_.start();
  setup_.emplace(run_ + "/setup/socket");
  terminator_.emplace(run_ + "/terminator/socket", "terminator", journal_);
  dataplane_.emplace(run_ + "/dataplane/socket", "dataplane", journal_);
  settings_.run_dir = run_;
  settings_.state_dir = server_.folder();
  settings_.boot_id = "this boot";
  settings_.config_path = run_ + "/gateway.yaml";
  settings_.version = "test";
  settings_.clock_synchronised = [this] { return clock_synchronised_; };
  start();
}

void ControlTest::start() {
  control_.reset();
  auto listener = os::listen_at(run_ + "/control/socket", 0600);
  ASSERT_TRUE(listener);
  control_.emplace(settings_, *std::move(listener), std::nullopt);
  ASSERT_TRUE(until([&] {
    const json s = control_->status();
    bool up = s["ready"];
    for (const json& process : s["processes"]) up = up && process["connected"];
    return up;
  }));
}

bool ControlTest::until(const std::function<bool()>& condition, Millis longest) {
  const Millis end = Loop::now() + longest;
  while (Loop::now() < end) {
    control_->run();
    setup_->run();
    terminator_->run();
    dataplane_->run();
    if (condition()) return true;
    control_->wait();
    Loop::wake_at(Loop::now() + Millis(2));
    Loop::block();
  }
  return false;
}

json ControlTest::ask(const json& request, const std::optional<std::string>& text) {
  const auto socket = os::connect_to(run_ + "/control/socket");
  return socket ? ask_on(socket->get(), request, text) : json();
}

json ControlTest::ask_on(int socket, const json& request, const std::optional<std::string>& text) {
  os::UniqueFd memory;
  std::vector<int> fds;
  if (text) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text->data());
    auto sealed = os::make_sealed("test", {bytes, text->size()});
    if (!sealed) return nullptr;
    memory = *std::move(sealed);
    fds.push_back(memory.get());
  }
  const std::string body = request.dump();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  if (!os::send_datagram(socket, {bytes, body.size()}, fds)) return nullptr;
  std::optional<os::Datagram> reply;
  until([&] {
    auto received = os::receive_datagram(socket);
    if (received && *received) reply = std::move(**received);
    return reply.has_value() || !received;
  });
  if (!reply) return nullptr;
  json out = json::parse(reply->bytes, nullptr, false);
  if (!out.contains("attached") || reply->descriptors.empty()) return out;
  const auto mapping = os::map_sealed(reply->descriptors[0].get(), std::size_t{64} << 20);
  return mapping ? json::parse(mapping->bytes(), nullptr, false) : json();
}

json ControlTest::apply(const std::string& text) {
  return ask({{"op", "apply"}, {"comment", "c"}}, text);
}

std::vector<json> ControlTest::events(const std::string& kind) {
  std::vector<json> out;
  const json answer = ask({{"op", "show"}, {"what", "events"}});
  for (const json& event : answer.value("result", json::array()))
    if (event["kind"] == kind) out.push_back(event);
  return out;
}

std::map<std::uint64_t, std::string> ControlTest::stored_texts() {
  std::map<std::uint64_t, std::string> out;
  const json answer = json::parse(
      server_.transact(R"(["Sallyport",{"op":"select","table":"Revision","where":[]}])"), nullptr,
      false);
  if (answer.is_array())
    for (const json& row : answer[0]["rows"])
      if (row["state"] == "confirmed") out[row["number"]] = row["text"];
  return out;
}

bool ControlTest::everywhere(std::uint64_t revision) {
  return until([&] {
    return dataplane_->in_force == revision && terminator_->in_force == revision &&
           control_->status()["state"] == "in-force" && control_->status()["revision"] == revision;
  });
}

void ControlTest::set_boot_clock() {
  settings_.boot_clock = [this] { return boot_now_; };
  start();
}

std::string ControlTest::read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sallyport::control
