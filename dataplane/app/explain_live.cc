#include "dataplane/app/explain_live.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "policy/explain/explain.h"
#include "policy/explain/question.h"

namespace sallyport::dataplane {

Result<std::string> explain_json(const wire::Query& query, const QueryContext& context,
                                 Worker& worker) {
  if (context.tables == nullptr) {
    return nlohmann::json{{"decision", "deny"},
                          {"reason", to_string(Drop::kNoSnapshot)},
                          {"help", kDropInfo[static_cast<std::size_t>(Drop::kNoSnapshot)].help},
                          {"revision", 0},
                          {"flow", nullptr}}
        .dump();
  }
  std::vector<std::string> words;
  if (query.arguments() != nullptr) {
    for (const flatbuffers::String* word : *query.arguments()) words.push_back(word->str());
  }
  const wire::SnapshotView& view = context.tables->view();
  SALLYPORT_TRY(explain::Question question, explain::parse_question(view, words));
  const decide::Tuple& t = question.tuple;
  const bool ports = t.protocol == 6 || t.protocol == 17;
  const FlowKey key{t.source, t.destination, t.source_port,
                    ports ? t.destination_port : t.source_port,
                    static_cast<IpProtocol>(t.protocol)};
  std::optional<Flow> flow;
  std::vector<std::uint32_t> known;
  worker.do_between_bursts([&](Pipeline& p) {
    if (const FlowMatch match = p.flows().find(key)) flow = *match.flow;
    p.names().any_class(t.destination, context.now, [&](std::uint32_t destination_class) {
      known.push_back(destination_class);
      return false;
    });
  });
  for (const wire::Name* name : *view.root().names()) {
    if (std::ranges::find(known, name->destination_class()) != known.end()) {
      question.names.push_back(name->name()->str());
    }
  }
  auto answer = nlohmann::json::parse(explain::to_json(explain::explain(view, question)));
  answer["flow"] = nullptr;
  if (flow) {
    const std::string rows = flows_json({*flow}, context);
    answer["flow"] = nlohmann::json::parse(rows)["flows"][0];
  }
  return answer.dump();
}

}  // namespace sallyport::dataplane
