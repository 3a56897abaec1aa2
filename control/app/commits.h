// A revision's way: compiled beside the loop, written down as pending, acknowledged by both
// siblings, written down as what decides. Only then is whoever wished it told that it is in force
// (docs/design/0006-revisions.md).
//
// Thread: the loop's. One at a time. Failures: told to `done`; then nothing was changed.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/app/gateway_row.h"
#include "control/app/ledger.h"
#include "control/app/parts.h"

namespace sallyport::control {

// What somebody wants to be in force.
struct Wish {
  std::string user;
  std::string comment;
  std::string text;
  bool yes = false;           // also if the dataplane must restart
  std::int64_t window_s = 0;  // it is withdrawn unless confirmed within this; 0 = no window
  // Control's own, which must come about: neither a missing database nor a sibling that is away
  // stands in its way. The sibling is given it when it comes.
  bool must = false;
};

struct Outcome {
  std::optional<Error> error;
  nlohmann::json more = nlohmann::json::object();  // with the error: "problems"
  std::uint64_t revision = 0;
  nlohmann::json warnings = nlohmann::json::array();
  std::string note;  // it is in force, but
};

class Commits {
 public:
  using Done = std::function<void(const Outcome&)>;
  // How long a sibling that has just come back may keep a revision waiting.
  static constexpr Millis kIdleTimeout{15'000};

  Commits(Parts& parts, GatewayRow& gateway, Ledger& ledger)
      : parts_(parts), gateway_(gateway), ledger_(ledger) {}

  // Not while under_way().
  void start(Wish wish, Done done);
  void run(Millis now);
  void wait() const;

  // Once it is known what is to be in force (control/app/boot.h); until then nothing is committed.
  void set_ready() { ready_ = true; }
  bool ready() const { return ready_; }
  // Why nobody can commit now, but for somebody else's doing; nothing if nothing stands in the way.
  std::optional<Error> obstacle() const;

  bool under_way() const { return wish_.has_value(); }
  const std::string& user() const { return wish_->user; }
  std::int64_t since_s() const { return since_s_; }
  // The revision under way, or the one in force.
  std::uint64_t next() const { return under_way() ? number_ : parts_.revision_in_force(); }

 private:
  // What was made beside the loop.
  struct Made {
    std::expected<TargetPtr, model::Diagnostics> target;
    std::optional<std::string> rules_refused;  // why control.review may not be changed like that
  };
  static Made make(std::string text, TargetInput input, const TargetPtr& in_force,
                   const std::string& last_text);
  void compiled(Made made);
  void stored(const Result<void>& outcome);
  void bring_into_force();
  void acknowledged(const Result<void>& outcome);
  void decided(const Result<void>& outcome);
  void refuse(Error error, nlohmann::json more = nlohmann::json::object());
  void end(Outcome outcome);

  Parts& parts_;
  GatewayRow& gateway_;
  Ledger& ledger_;
  bool ready_ = false;
  std::optional<Wish> wish_;
  Done done_;
  std::int64_t since_s_ = 0;
  std::uint64_t number_ = 0;
  TargetPtr target_;
  std::optional<Millis> idle_deadline_;  // waiting for the reconciler to be idle until then
};

// Diagnostics as sallyctl reads them.
nlohmann::json problems_json(const model::Diagnostics& diagnostics);

}  // namespace sallyport::control
