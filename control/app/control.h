// sallyport-control as a whole: neighbours, database, socket, the revision in force and the one on
// its way. The main loop is libopenvswitch's; every part says what to wake up for and none blocks.
//
// Life: construct (opens nothing but what it is given), then run()/wait() in turns for ever.
// Thread: the loop's. Source: design.md §2 and §8.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/app/beside.h"
#include "control/app/events.h"
#include "control/app/history.h"
#include "control/app/server.h"
#include "control/ovsdb/database.h"
#include "control/reconcile/reconciler.h"

namespace sallyport::control {

struct Settings {
  std::string run_dir = "/run/sallyport";
  std::string config_path = "/etc/sallyport/gateway.yaml";
  std::string version;
  std::uint64_t unit_id = 0;
};

class Control {
 public:
  Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group);

  void run();
  void wait() const;
  nlohmann::json status() const;

 private:
  // A revision on its way from "apply" to the answer.
  struct Applying {
    enum class Stage { kCompiling, kStoring, kReconciling, kConfirming };
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
  enum class FileState { kUnknown, kAbsent, kSame, kEdited, kInvalid };

  void load_history();
  void boot(std::vector<TargetPtr> targets);
  void look_at_file();
  void file_judged(bool loads, const std::string& text);
  void store_rows();
  void write_services();
  void note_foreign_writes();
  compile::CompileInput compile_input(std::uint64_t revision) const;

  // apply.cc
  void start_apply(Request request, Responder responder, std::string text);
  void compiled(std::expected<TargetPtr, model::Diagnostics> result);
  void advance_apply();
  void applied(Result<void> outcome);
  void end_apply(const std::string& code, const std::string& message,
                 nlohmann::json more = nlohmann::json::object());

  // commands.cc
  void handle(Request request, Responder responder);
  void handle_show(const Request& request, const Responder& responder);
  void handle_query(const Request& request, const Responder& responder);
  void handle_explain(Request request, const Responder& responder);
  void handle_history(const Request& request, const Responder& responder);
  void handle_rollback(Request request, Responder responder);
  nlohmann::json processes() const;

  Settings settings_;
  Events events_;
  History history_;
  SetupClient setup_;
  Sibling terminator_;
  Sibling dataplane_;
  Database database_;
  Reconciler reconciler_;
  Beside beside_;
  ControlServer server_;
  ReadOnlyAppctl appctl_;
  std::optional<Applying> applying_;
  std::uint64_t apply_serial_ = 0;
  bool history_loaded_ = false;
  bool booted_ = false;
  TargetPtr shown_;  // whose derived rows and service files are written
  FileState file_state_ = FileState::kUnknown;
  std::string file_stamp_;      // what stat said when the file was last read
  std::string file_reference_;  // SHA-256 in force when it was compared
  Millis look_at_file_at_{0};
};

const char* to_string(int file_state);

}  // namespace sallyport::control
