#include "control/reconcile/target.h"

#include "control/config/load.h"

namespace sallyport::control {
namespace {

model::Diagnostics broken(const Error& error) {
  return {{{}, error.code, "the snapshot cannot be made: " + error.context, {}}};
}

}  // namespace

Result<wire::SnapshotView> Target::view() const {
  if (verified) return *verified;
  return wire::SnapshotView::verify(mapping.bytes());
}

std::expected<TargetPtr, model::Diagnostics> make_target(std::string text,
                                                         compile::CompileInput input) {
  auto gateway = load_config(text);
  if (!gateway) return std::unexpected(gateway.error());
  input.config_sha256 = wire::sha256(std::string_view(text));
  auto compiled = compile::compile(*gateway, input);
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
  const auto view = target->view();
  if (!view) return std::unexpected(broken(view.error()));
  target->verified = *view;
  for (const wire::Port* port : *view->root().ports())
    target->ports.push_back({port->slot(), port->name()->str(), port->device()->str()});
  target->plan = host_plan(*view);
  return TargetPtr(std::move(target));
}

}  // namespace sallyport::control
