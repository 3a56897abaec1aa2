// Stands in for control where the lab needs a state that control passes in a blink: a dataplane
// that drives its ports and has no policy, and one that is offered damaged snapshots. Runs as
// control's user and speaks to setup and dataplane as control does. usage: bare_control RUN_DIR
// CONFIG. Prints "dark" once the ports are driven and their links up, then obeys lines of standard
// input: "damage" offers snapshots that are wrong in every way and prints "refused CODE COUNT" per
// code and "accepted COUNT"; "offer" offers the right one; "made FILE" takes FILE for what a faulty
// compiler has made of CONFIG: prints the proof of its snapshot against CONFIG, then offers it all
// the same; "query WHAT [WORDS]" asks the dataplane.
#include <fmt/core.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "control/config/load.h"
#include "control/reconcile/host_plan.h"
#include "control/reconcile/target.h"
#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/seqpacket.h"
#include "policy/prove/prove.h"
#include "policy/wire/setup_protocol.h"

namespace {

using namespace sallyport;

constexpr std::chrono::seconds kPatience{20};

[[noreturn]] void die(std::string_view what, const Error& error) {
  fmt::print(stderr, "bare_control: {}: {}: {}\n", what, error.code, error.context);
  std::exit(1);
}
template <class T>
T must(Result<T> result, std::string_view what) {
  if (!result) die(what, result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

os::Datagram answer_on(int socket, std::string_view what) {
  for (;;) {
    if (!os::wait_readable(socket, kPatience))
      die(what, {ErrorKind::kTimeout, "silent", "no answer"});
    auto datagram = must(os::receive_datagram(socket), what);
    if (datagram) return std::move(*datagram);
  }
}

class Setup {
 public:
  explicit Setup(const std::string& path) : socket_(must(os::connect_to(path), "setup")) {}
  os::UniqueFd call(const wire::SetupRequest& request) {
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&request);
    must(os::send_datagram(socket_.get(), {raw, sizeof request}), "setup");
    os::Datagram datagram = answer_on(socket_.get(), "setup");
    wire::SetupReply reply;
    if (datagram.bytes.size() != sizeof reply)
      die("setup", {ErrorKind::kInvalid, "reply", "wrong size"});
    std::memcpy(&reply, datagram.bytes.data(), sizeof reply);
    if (reply.error != 0)
      die("setup", {ErrorKind::kSystem, "setup-refused",
                    fmt::format("operation {}: {} {}", static_cast<int>(request.op),
                                std::strerror(reply.error), reply.detail.data())});
    return datagram.descriptors.empty() ? os::UniqueFd() : std::move(datagram.descriptors[0]);
  }

 private:
  os::UniqueFd socket_;
};

class Dataplane {
 public:
  explicit Dataplane(const std::string& path) : socket_(must(os::connect_to(path), "dataplane")) {}
  Result<void> configure(const std::vector<os::PortSpec>& ports) {
    return exchange(os::encode_configure(++id_, ports), -1);
  }
  Result<void> prepare(std::uint64_t revision, int memory) {
    return exchange(os::encode_apply(++id_, revision, wire::Phase::Prepare), memory);
  }
  std::string query(std::string_view what, const std::vector<std::string>& words) {
    const os::Bytes question = os::encode_query(++id_, what, words);
    must(os::send_datagram(socket_.get(), question), "query");
    for (;;) {
      const os::Datagram datagram = answer_on(socket_.get(), "dataplane");
      const wire::Envelope* envelope = must(os::decode(datagram.bytes), "dataplane");
      if (envelope->id() == id_) return must(os::json_of(*envelope, datagram.descriptors), "query");
    }
  }

 private:
  Result<void> exchange(const os::Bytes& bytes, int descriptor) {
    const int descriptors[] = {descriptor};
    SALLYPORT_TRY_VOID(os::send_datagram(socket_.get(), bytes,
                                         std::span(descriptors).first(descriptor < 0 ? 0 : 1)));
    for (;;) {
      const os::Datagram datagram = answer_on(socket_.get(), "dataplane");
      const wire::Envelope* envelope = must(os::decode(datagram.bytes), "dataplane");
      if (envelope->id() == id_) return os::outcome_of(*envelope);
    }
  }

  os::UniqueFd socket_;
  std::uint64_t id_ = 0;
};

// Every way of being wrong: cut short, other magic or version, and single bits flipped all over it.
void damage(Dataplane& dataplane, ConstBytes good, std::uint64_t revision) {
  std::map<std::string, int> refused;
  int accepted = 0;
  const auto offer = [&](std::vector<std::uint8_t> bytes) {
    const os::UniqueFd memory = must(os::make_sealed("damaged", bytes), "memfd");
    const auto outcome = dataplane.prepare(revision, memory.get());
    if (outcome)
      ++accepted;
    else
      ++refused[outcome.error().code];
  };
  const std::vector<std::uint8_t> whole(good.begin(), good.end());
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{16}, whole.size() / 2, whole.size() - 1})
    offer({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
  std::mt19937_64 random(7);
  for (std::size_t i = 0; i < 500; ++i) {
    auto bytes = whole;
    // The header's bits first, one by one; then bits anywhere.
    const std::size_t bit = i < 256 ? i : random() % (bytes.size() * 8);
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << bit % 8));
    offer(std::move(bytes));
  }
  const os::UniqueFd loose = must(os::make_shared("unsealed", whole.size()), "memfd");
  const os::Mapping mapping = must(os::map_shared(loose.get(), whole.size()), "memfd");
  std::memcpy(mapping.data(), whole.data(), whole.size());
  if (const auto outcome = dataplane.prepare(revision, loose.get()); outcome)
    ++accepted;
  else
    ++refused[outcome.error().code];
  for (const auto& [code, count] : refused) fmt::print("refused {} {}\n", code, count);
  fmt::print("accepted {}\n", accepted);
}

[[noreturn]] void die(const std::string& path, const model::Diagnostics& problems) {
  for (const auto& problem : problems) fmt::print(stderr, "{}\n", model::to_string(problem, path));
  std::exit(1);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

control::TargetPtr target_of(const std::string& path, std::uint64_t revision,
                             const control::TargetPtr& before) {
  control::TargetInput input;
  input.revision = revision;
  if (before) input.previous = before->slots;
  auto target = control::make_candidate(text_of(path), input);
  if (!target) die(path, target.error());
  return std::move(*target);
}

// A snapshot made of another text than it should be, proven against the text that was meant.
void prove_against(const control::Target& made, const std::string& meant) {
  const auto gateway = control::load_config(text_of(meant));
  if (!gateway) die(meant, gateway.error());
  const wire::SnapshotView& view = made.view();
  fmt::print("{}\n", prove::to_json(prove::prove(view, *gateway, std::nullopt)));
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: bare_control RUN_DIR CONFIG\n");
    return 2;
  }
  const std::string run_dir = arguments[1];
  control::TargetPtr target = target_of(arguments[2], 1, nullptr);
  Setup setup(run_dir + "/setup/socket");
  Dataplane dataplane(run_dir + "/dataplane/socket");
  for (const std::string& interface : target->plan.interfaces)
    setup.call(control::setup_request(wire::SetupOp::kPortTake, interface));
  must(dataplane.configure(target->ports), "configure");
  for (const std::string& interface : target->plan.interfaces)
    setup.call(control::setup_request(wire::SetupOp::kPortUp, interface));
  fmt::print("dark\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line); std::fflush(stdout)) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    if (words[0] == "damage") damage(dataplane, target->mapping.bytes(), target->revision);
    if (words[0] == "query" && words.size() > 1)
      fmt::print("{}\n", dataplane.query(words[1], {words.begin() + 2, words.end()}));
    if (words[0] == "made" && words.size() == 2) {
      target = target_of(words[1], target->revision + 1, target);
      prove_against(*target, arguments[2]);
    }
    if (words[0] == "offer" || words[0] == "made") {
      const auto outcome = dataplane.prepare(target->revision, target->memory.get());
      fmt::print("{}\n", outcome ? "accepted" : outcome.error().code);
    }
  }
  return 0;
}
