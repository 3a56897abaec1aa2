#include "tests/unit/terminator/rig.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "policy/base/check.h"
#include "policy/compile/compile.h"
#include "policy/os/clock.h"
#include "policy/os/sandbox.h"
#include "tests/support/policy/sample_gateway.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator::testing {
namespace {

namespace fs = std::filesystem;

std::int64_t wall_seconds() { return os::wall_ns() / 1'000'000'000; }

std::string fresh_folder() {
  static int count = 0;
  return (fs::temp_directory_path() /
          ("sallyport-keys-" + std::to_string(::getpid()) + "-" + std::to_string(++count)))
      .string();
}

Loop make_loop() {
  auto loop = Loop::create(&os::steady_now);
  SALLYPORT_CHECK(loop.has_value());
  return *std::move(loop);
}

}  // namespace

void enter_plant() {
  static const sallyport::testing::Namespace plant = [] {
    sallyport::testing::Namespace out("plant");
    for (const char* address :
         {"192.0.2.2/32", "192.0.2.77/32", "10.20.0.1/32", "10.20.0.5/32", "10.20.0.6/32",
          "10.20.0.7/32", "10.30.0.1/32", "203.0.113.9/32", "203.0.113.53/32", "2001:db8::2/128",
          "2001:db8::77/128", "fd00:20::1/128", "fd00:20::5/128", "fd00:20::7/128",
          "fd00:30::1/128"})
      out.ip({"addr", "add", address, "dev", "lo"});
    return out;
  }();
  static const bool entered = os::enter_netns(plant.path()).has_value();
  SALLYPORT_CHECK(entered);
}

void LocalSockets::open(const std::string& segment, IpVersion version, SocketKind kind, Done done) {
  if (segment == mute_segment) return unanswered.push_back(std::move(done));
  if (segment == broken_segment)
    return done(fail(ErrorKind::kUnavailable, "setup-gone", "not there"));
  const int fd = ::socket(
      version == IpVersion::k4 ? AF_INET : AF_INET6,
      (kind == SocketKind::kStream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  done(os::UniqueFd(fd));
}

bool MemoryJournal::has(std::string_view kind, std::string_view text) const {
  for (const auto& [k, json] : events)
    if (k == kind && json.find(text) != std::string::npos) return true;
  return false;
}

Rig::Rig(const RigOptions& options) : keys(fresh_folder()), loop(make_loop()) {
  enter_plant();
  fs::copy(pki_folder(), keys, fs::copy_options::recursive);
  auto made = Terminator::create(loop, sockets, KeyStore(keys), journal,
                                 {.timeouts = options.timeouts,
                                  .engines = options.engines,
                                  .places = options.places,
                                  .clock = &os::steady_now,
                                  .wall_s = &wall_seconds});
  SALLYPORT_CHECK(made.has_value());
  terminator = *std::move(made);
}

Rig::~Rig() {
  terminator.reset();
  std::error_code ignored;
  fs::remove_all(keys, ignored);
}

Result<void> Rig::prepare(const model::Gateway& gateway) {
  compile::CompileInput input;
  input.revision = ++revision_;
  input.previous = slots_;
  const compile::Compiled compiled = sallyport::testing::compiled(gateway, input);
  slots_ = compiled.slots;
  plans_ = *plans_of(sallyport::testing::view_of(compiled));
  for (const ConduitPlan& plan : plans_) conduits_.push_back(plan.name);
  auto sealed = os::make_sealed("snapshot", compiled.snapshot);
  auto mapping = os::map_sealed(sealed->get(), wire::kMaxSnapshotSize);
  std::optional<Result<void>> outcome;
  terminator->prepare(*std::move(mapping), revision_,
                      [&outcome](const Result<void>& result) { outcome = result; });
  SALLYPORT_CHECK(until([&] { return outcome.has_value(); }));
  return *outcome;
}

void Rig::apply(const model::Gateway& gateway) {
  const auto prepared = prepare(gateway);
  ASSERT_TRUE(prepared) << prepared.error().code << ": " << prepared.error().context;
  ASSERT_TRUE(commit());
}

Result<void> Rig::commit() {
  std::optional<Result<void>> outcome;
  terminator->commit(revision_, [&outcome](const Result<void>& result) { outcome = result; });
  SALLYPORT_CHECK(until([&] { return outcome.has_value(); }));
  return *outcome;
}

Result<void> Rig::abort() {
  std::optional<Result<void>> outcome;
  terminator->abort(revision_, [&outcome](const Result<void>& result) { outcome = result; });
  SALLYPORT_CHECK(until([&] { return outcome.has_value(); }));
  return *outcome;
}

void Rig::check_credits() const {
  for (const std::string& name : conduits_) ASSERT_TRUE(counts(name).add_up()) << name;
}

bool Rig::until(const std::function<bool()>& condition, std::chrono::milliseconds longest) {
  const Instant deadline = os::steady_now() + longest;
  while (!condition()) {
    if (os::steady_now() > deadline) return false;
    loop.run_once(std::chrono::milliseconds(2));
    check_credits();
  }
  return true;
}

std::uint64_t Rig::rounds_done() {
  std::atomic<std::uint64_t> all{0};
  std::atomic<std::size_t> answers{0};
  for (std::size_t i = 0; i < terminator->engines(); ++i)
    terminator->engine(i).post([&](Engine& engine) {
      all += engine.loop().rounds();
      ++answers;
    });
  SALLYPORT_CHECK(until([&] { return answers == terminator->engines(); }));
  return all + loop.rounds();
}

void Rig::rounds(int count) {
  for (int i = 0; i < count; ++i) loop.run_once(std::chrono::milliseconds(1));
  check_credits();
}

ListenAddress Rig::listener(const std::string& conduit, IpVersion version) const {
  for (const ConduitPlan& plan : plans_)
    for (const ListenAddress& where : plan.listen)
      if (plan.name == conduit && where.address.version() == version) return where;
  ADD_FAILURE() << conduit << " has no listener";
  return {};
}

AdmissionCounts Rig::counts(const std::string& conduit) const {
  const AdmissionCounts* counts = terminator->counts(conduit);
  return counts == nullptr ? AdmissionCounts{} : *counts;
}

bool Rig::failed_with(std::string_view code) {
  return until([&] { return journal.has("session-failed", "\"" + std::string(code) + "\""); });
}
bool Rig::established(const std::string& conduit, std::uint64_t count) {
  return until([&] { return counts(conduit).established == count; });
}
bool Rig::failed(const std::string& conduit, std::uint64_t count) {
  return until([&] { return counts(conduit).failed == count; });
}
bool Rig::timed_out(const std::string& conduit, std::uint64_t count) {
  return until([&] { return counts(conduit).timed_out == count; });
}

nlohmann::json Rig::sessions() {
  std::optional<std::string> answer;
  terminator->sessions([&answer](std::string json) { answer = std::move(json); });
  SALLYPORT_CHECK(until([&] { return answer.has_value(); }));
  return nlohmann::json::parse(*answer);
}

nlohmann::json Rig::status() const { return nlohmann::json::parse(terminator->status_json()); }

os::UniqueFd listen_on(const std::string& address, std::uint16_t port) {
  const IpAddress ip = *IpAddress::parse(address);
  os::UniqueFd out(::socket(ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const SocketAddress at = socket_address(ip, port);
  EXPECT_EQ(0, ::bind(out.get(), at.raw(), at.size)) << address << " " << port;
  EXPECT_EQ(0, ::listen(out.get(), 64));
  return out;
}

os::UniqueFd connect_to(const IpAddress& address, std::uint16_t port) {
  os::UniqueFd out(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const SocketAddress at = socket_address(address, port);
  EXPECT_TRUE(::connect(out.get(), at.raw(), at.size) == 0 || errno == EINPROGRESS);
  return out;
}

std::optional<os::UniqueFd> accept_on(const os::UniqueFd& listener) {
  os::UniqueFd out(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
  if (!out) return std::nullopt;
  return out;
}

ConstBytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool Peer::secure(const Context& context) {
  if (!leg_.secure(context)) return false;
  Io io = Io::kWantRead;
  rig_->until([&] {
    io = leg_.handshake();
    return io == Io::kOk || io == Io::kFailed;
  });
  return io == Io::kOk;
}

std::string Peer::take(std::size_t most) {
  std::vector<std::uint8_t> buffer(std::min(most, std::size_t{64} * 1024));
  const IoResult got = leg_.read(buffer);
  last_ = got.io;
  if (got.io != Io::kOk) return {};
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.size)};
}

std::string Peer::read(std::size_t wanted) {
  std::string out;
  rig_->until(
      [&] {
        // All there is: a round of the front's loop moves nothing of ours.
        do out += take(64 * 1024);
        while (last_ == Io::kOk && out.size() < wanted);
        return last_ == Io::kClosed || last_ == Io::kFailed || out.size() >= wanted;
      },
      std::chrono::seconds(60));
  return out;
}

bool Peer::write(std::string_view text) {
  return rig_->until([&] {
    const IoResult put = leg_.write(bytes(text));
    if (put.io == Io::kOk) text.remove_prefix(put.size);
    return put.io == Io::kFailed || text.empty();
  }) && text.empty();
}

bool Peer::sees_end() {
  read(std::string().max_size());
  return last_ == Io::kClosed;
}

bool Peer::sees_cut() {
  read(std::string().max_size());
  return last_ == Io::kFailed;
}

Context client_context(const std::string& name, const std::string& ca, const std::string& own) {
  ClientSetup setup{
      .server_name = name, .server_ca = pki(ca), .server_crl = {}, .chain = {}, .key = {}};
  if (!own.empty()) {
    setup.chain = pki(own + ".crt");
    setup.key = pki(own + ".key");
  }
  auto out = Context::client(setup);
  SALLYPORT_CHECK(out.has_value());
  return *std::move(out);
}

Context server_context(const std::string& certificate) {
  auto out = Context::server({.chain = pki(certificate + ".crt"),
                              .key = pki(certificate + ".key"),
                              .client_certificate = ClientCertificate::kNone,
                              .client_ca = {},
                              .client_crl = {}});
  SALLYPORT_CHECK(out.has_value());
  return *std::move(out);
}

}  // namespace sallyport::terminator::testing
