// Turns server names into addresses, with c-ares over sockets that setup makes in one segment's
// namespace. Asks the given servers and nobody else: no resolv.conf, no hosts file, no search list,
// no environment. Answers are kept for their TTL within [kShortestTtl, kLongestTtl]; only addresses
// that the judge accepts (a host beyond the uplink) are ever returned, so an answer cannot point
// inside.
//
// One thread, the loop's. Each query has a deadline; every caller is answered exactly once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policy/base/net.h"
#include "policy/base/result.h"
#include "policy/base/units.h"
#include "tls-termination/relay/loop.h"
#include "tls-termination/session/sockets.h"

struct ares_channeldata;

namespace sallyport::terminator {

inline constexpr auto kShortestTtl = std::chrono::seconds(1);
inline constexpr auto kLongestTtl = std::chrono::seconds(60);
inline constexpr std::size_t kMaxNamesKept = 256;
inline constexpr std::size_t kMaxAddressesPerName = 16;

class Resolver : private Watcher, private TimerTarget {
 public:
  using Judge = std::function<bool(const IpAddress&)>;
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;

  // `segment`: where the sockets come from.
  Resolver(Loop& loop, SocketSource& sockets, std::string segment);
  ~Resolver() override;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Takes effect for the next query; a change empties the cache.
  void configure(std::vector<IpAddress> servers, Judge judge);

  // kUnavailable "resolve-no-server", "resolve-no-socket", "resolve-failed" (context has c-ares'
  // words), kRefused "resolve-martian" when every address was refused. `done` may be called from
  // within.
  void resolve(const std::string& name, Done done);
  // Whoever asks next asks the servers: what is kept was of no use. A dataplane that has started
  // anew lets a connection out only to addresses that it has seen in an answer since.
  void forget(const std::string& name) { cache_.erase(name); }

 private:
  struct Kept {
    std::vector<IpAddress> addresses;
    Instant until;
  };
  struct Query;
  struct Hooks;  // c-ares' socket functions

  void on_ready(int fd, std::uint32_t events) override;
  void on_timer() override;
  void start(const std::string& name);
  void finished(const std::string& name, Result<Kept> outcome);
  void arm();
  void refill();
  Result<void> open_channel();

  Loop& loop_;
  SocketSource& sockets_;
  std::string segment_;
  std::vector<IpAddress> servers_;
  Judge judge_;
  ares_channeldata* channel_ = nullptr;
  std::map<std::string, Kept> cache_;
  std::map<std::string, std::vector<Done>> waiting_;
  // Sockets made ahead, by (version, kind): c-ares wants them at once.
  std::map<std::pair<IpVersion, SocketKind>, std::vector<os::UniqueFd>> pool_;
  std::vector<std::string> queued_;  // waiting for the pool
  unsigned refilling_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace sallyport::terminator
