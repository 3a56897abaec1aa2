// A request's arguments as values; what is absent or of another type is as if it were not there.
//
// Pure. Bounded: what a hostile client sends beyond the bounds is ignored.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sallyport::control {

// Empty if absent.
std::string text_of(const nlohmann::json& body, const char* key);
std::uint64_t number_of(const nlohmann::json& body, const char* key, std::uint64_t otherwise);
bool flag_of(const nlohmann::json& body, const char* key);
// The strings of "arguments".
std::vector<std::string> arguments_of(const nlohmann::json& body);

}  // namespace sallyport::control
