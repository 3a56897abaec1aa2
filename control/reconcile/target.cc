#include "control/reconcile/target.h"

#include "control/config/load.h"

namespace sallyport::control {
namespace {

model::Diagnostics broken(const Error& error) {
  return {{{}, error.code, "the snapshot cannot be made: " + error.context, {}}};
}

// Loaded, compiled and sealed; not proven.
std::expected<std::shared_ptr<Target>, model::Diagnostics> sealed(const model::Gateway& gateway,
                                                                  std::string text,
                                                                  compile::CompileInput input) {
  input.config_sha256 = wire::sha256(std::string_view(text));
  auto compiled = compile::compile(gateway, input);
  if (!compiled) return std::unexpected(compiled.error());
  auto target = std::make_shared<Target>();
  target->revision = input.revision;
  target->text = std::move(text);
  target->today = input.today;
  target->slots = std::move(compiled->slots);
  target->warnings = std::move(compiled->warnings);
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

std::expected<TargetPtr, model::Diagnostics> make_candidate(std::string text,
                                                            compile::CompileInput input) {
  const auto gateway = load_config(text);
  if (!gateway) return std::unexpected(gateway.error());
  return sealed(*gateway, std::move(text), std::move(input));
}

std::expected<TargetPtr, model::Diagnostics> make_target(std::string text,
                                                         compile::CompileInput input) {
  const auto gateway = load_config(text);
  if (!gateway) return std::unexpected(gateway.error());
  const std::optional<std::int32_t> today = input.today;
  auto target = sealed(*gateway, std::move(text), std::move(input));
  if (!target) return std::unexpected(std::move(target.error()));
  // The last word before anything is handed out: the sealed bytes against the text. 2.4.7.3
  (*target)->proof = prove::prove((*target)->view(), *gateway, today);
  if (!(*target)->proof.holds()) return std::unexpected(prove::refusal((*target)->proof));
  return *std::move(target);
}

}  // namespace sallyport::control
