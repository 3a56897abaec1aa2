#include "control/app/flow_watch.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/app/synced_file.h"

namespace sallyport::control {
namespace {

// Absent is empty.
Result<FlowLog> read_log(const std::string& path) {
  auto text = read_whole(path, FlowLog::kMaxText);
  Result<FlowLog> log = !text   ? Result<FlowLog>(fail(text.error()))
                        : *text ? FlowLog::parse(**text)
                                : FlowLog();
  if (!log) {
    std::error_code error;
    std::filesystem::rename(path, path + ".damaged", error);
  }
  return log;
}

}  // namespace

void FlowWatch::run(Millis now) {
  if (!loaded_) return load();
  ask(now);
  store(now);
}

void FlowWatch::wait() const {
  if (loaded_ && !asking_ && parts_.dataplane.up()) Loop::wake_at(ask_at_);
}

void FlowWatch::load() {
  if (loading_) return;
  loading_ = true;
  parts_.beside.start([path = path()] { return read_log(path); },
                      [this](Result<FlowLog> log) {
                        loaded_ = true;
                        if (log)
                          log_ = *std::move(log);
                        else
                          parts_.alert("flow-log-damaged", path() + ": " + log.error().context +
                                                               "; flows are noted from now on");
                      });
}

// First how many there are: copying them keeps the dataplane's worker from its packets.
void FlowWatch::ask(Millis now) {
  if (asking_ || now < ask_at_ || !parts_.dataplane.up()) return;
  asking_ = true;
  parts_.dataplane.query(now, "status", {}, Millis(0), [this](const Result<Sibling::Reply>& reply) {
    ask_at_ = Loop::now() + kAskInterval;
    const auto status =
        reply ? nlohmann::json::parse(reply->json, nullptr, false) : nlohmann::json();
    asking_ = status.is_object() && status.contains("flows") &&
              status["flows"].is_number_unsigned() && status["flows"] != 0;
    if (!asking_) return;
    const bool too_many = status["flows"] > kMaxAsked;
    if (too_many && !too_many_)
      parts_.alert("flow-log-paused",
                   fmt::format("more than {} flows at once: they are not noted until there are "
                               "fewer",
                               kMaxAsked));
    too_many_ = too_many;
    asking_ = !too_many;
    if (asking_) ask_for_flows();
  });
}

void FlowWatch::ask_for_flows() {
  parts_.dataplane.query(Loop::now(), "flows", {}, Millis(0), [this](Result<Sibling::Reply> reply) {
    if (!reply) {
      asking_ = false;
      return;
    }
    parts_.beside.start([text = std::move(reply->json)] { return flows_of(text); },
                        [this](const FlowLog::Rows& seen) {
                          asking_ = false;
                          stored_ = stored_ && seen.empty();
                          log_.see(seen, parts_.now_s());
                        });
  });
}

void FlowWatch::store(Millis now) {
  if (stored_ || storing_ || now < store_at_) return;
  storing_ = true;
  stored_ = true;
  store_at_ = now + kStoreInterval;
  parts_.beside.start([log = log_, path = path()] { return write_synced(path, log.to_text()); },
                      [this](const Result<void>& written) {
                        storing_ = false;
                        if (!written) stored_ = false;
                        if (failing_ == !written) return;
                        failing_ = !written;
                        if (!written) parts_.alert("flow-log-not-stored", written.error().context);
                      });
}

}  // namespace sallyport::control
