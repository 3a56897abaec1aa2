#include "control/app/arguments.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxArguments = 64;
constexpr std::size_t kMaxArgument = 512;

}  // namespace

std::string text_of(const nlohmann::json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && found->is_string() ? found->get<std::string>() : "";
}

std::uint64_t number_of(const nlohmann::json& body, const char* key, std::uint64_t otherwise) {
  const auto found = body.find(key);
  return found != body.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                            : otherwise;
}

bool flag_of(const nlohmann::json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && found->is_boolean() && found->get<bool>();
}

std::vector<std::string> arguments_of(const nlohmann::json& body) {
  std::vector<std::string> out;
  const auto found = body.find("arguments");
  if (found == body.end() || !found->is_array()) return out;
  for (const nlohmann::json& argument : *found)
    if (argument.is_string() && out.size() < kMaxArguments &&
        argument.get_ref<const std::string&>().size() <= kMaxArgument)
      out.push_back(argument.get<std::string>());
  return out;
}

}  // namespace sallyport::control
