#include "control/reconcile/target.h"

#include <algorithm>
#include <iterator>

#include "control/config/load.h"

namespace sallyport::control {
namespace {

model::Diagnostics broken(const Error& error) {
  return {{{}, error.code, "the snapshot cannot be made: " + error.context, {}}};
}

static_assert(compile::kReviewGraceDays == review::kGraceDays);

// The text as values, with the reviews that stand.
struct Reviewed {
  model::Gateway gateway;
  model::Diagnostics warnings;
};
std::expected<Reviewed, model::Diagnostics> reviewed(const std::string& text, TargetInput& input) {
  auto gateway = load_config(text);
  if (!gateway) return std::unexpected(gateway.error());
  review::Settled settled = review::settle(*gateway, input.authorities);
  if (!settled.errors.empty()) return std::unexpected(std::move(settled.errors));
  if (gateway->review_rules.clock_trusted) input.today = std::max(input.today, input.clock_day);
  return Reviewed{*std::move(gateway), std::move(settled.warnings)};
}

// Compiled and sealed; not proven.
std::expected<std::shared_ptr<Target>, model::Diagnostics> sealed(Reviewed& reviewed,
                                                                  std::string text,
                                                                  TargetInput input) {
  input.config_sha256 = wire::sha256(std::string_view(text));
  auto compiled = compile::compile(reviewed.gateway, input);
  if (!compiled) return std::unexpected(compiled.error());
  auto target = std::make_shared<Target>();
  target->revision = input.revision;
  target->text = std::move(text);
  target->today = input.today;
  target->authorities = std::move(input.authorities);
  target->review_rules = reviewed.gateway.review_rules;
  target->slots = std::move(compiled->slots);
  target->warnings = std::move(reviewed.warnings);
  std::ranges::move(compiled->warnings, std::back_inserter(target->warnings));
  std::ranges::stable_sort(target->warnings, {}, [](const model::Diagnostic& d) {
    return std::pair(d.at.line, d.at.column);
  });
  auto memory = os::make_sealed("sallyport-snapshot", compiled->snapshot);
  if (!memory) return std::unexpected(broken(memory.error()));
  target->memory = *std::move(memory);
  auto mapping = os::map_sealed(target->memory.get(), wire::kMaxSnapshotSize);
  if (!mapping) return std::unexpected(broken(mapping.error()));
  target->mapping = *std::move(mapping);
  auto view = wire::SnapshotView::verify(target->mapping.bytes());
  if (!view) return std::unexpected(broken(view.error()));
  target->verified = *view;
  for (const wire::Port* port : *view->root().ports())
    target->ports.push_back({port->slot(), port->name()->str(), port->device()->str()});
  target->plan = host_plan(*view);
  return target;
}

}  // namespace

std::expected<TargetPtr, model::Diagnostics> make_candidate(std::string text, TargetInput input) {
  auto found = reviewed(text, input);
  if (!found) return std::unexpected(std::move(found.error()));
  return sealed(*found, std::move(text), std::move(input));
}

std::expected<TargetPtr, model::Diagnostics> make_target(std::string text, TargetInput input) {
  auto found = reviewed(text, input);
  if (!found) return std::unexpected(std::move(found.error()));
  auto target = sealed(*found, std::move(text), std::move(input));
  if (!target) return std::unexpected(std::move(target.error()));
  // The last word before anything is handed out: the sealed bytes against the text. 2.4.7.3
  (*target)->proof = prove::prove((*target)->view(), found->gateway, (*target)->today);
  if (!(*target)->proof.holds()) return std::unexpected(prove::refusal((*target)->proof));
  return *std::move(target);
}

}  // namespace sallyport::control
