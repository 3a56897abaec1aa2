// A revision's way: compiled beside the loop, stored as pending, acknowledged by both siblings,
// stored as confirmed. Only then is the operator told that it is in force.
//
// Thread: the loop's. One at a time; whoever comes second is refused. Failures: told to the
// operator, and the old revision is in force as before.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/app/parts.h"
#include "control/app/server.h"

namespace sallyport::control {

class Commits {
 public:
  explicit Commits(Parts& parts) : parts_(parts) {}

  // `request.text` is the configuration.
  void apply(Request request, const Responder& responder);
  void run();
  void wait() const;

  // Called once what was in force before is known (control/app/boot.h); until then nothing is
  // committed.
  void loaded() { loaded_ = true; }
  void set_ready() { ready_ = true; }
  bool ready() const { return ready_; }
  // The revision under way, or the one in force.
  std::uint64_t next() const { return applying_ ? applying_->number : parts_.revision_in_force(); }
  bool reconciling() const {
    return applying_ && applying_->stage == Applying::Stage::kReconciling;
  }

 private:
  // A revision on its way from "apply" to the answer.
  struct Applying {
    enum class Stage : std::uint8_t { kCompiling, kStoring, kReconciling, kConfirming };
    Stage stage = Stage::kCompiling;
    std::string user;
    std::string comment;
    std::string text;
    bool yes = false;
    std::uint64_t number = 0;
    TargetPtr target;
    std::optional<Responder> responder;
    Millis deadline{0};
  };

  // Why nobody can commit now; empty if nothing stands in the way.
  std::optional<Error> obstacle() const;
  void compiled(std::expected<TargetPtr, model::Diagnostics> result);
  void applied(const Result<void>& outcome);
  void refuse(const std::string& code, const std::string& message,
              nlohmann::json more = nlohmann::json::object());

  Parts& parts_;
  std::optional<Applying> applying_;
  std::uint64_t serial_ = 0;
  bool loaded_ = false;
  bool ready_ = false;
};

}  // namespace sallyport::control
