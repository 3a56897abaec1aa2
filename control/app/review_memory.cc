#include "control/app/review_memory.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/app/synced_file.h"
#include "policy/model/names.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::size_t kMaxAuthorities = 4096;
constexpr std::int32_t kLastDay = 2'932'896;  // 9999-12-31

bool is_digest(const std::string& text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<review::Authorities> authorities_of(const json& object) {
  if (!object.is_object() || object.size() > kMaxAuthorities) return std::nullopt;
  review::Authorities out;
  for (const auto& [name, digest] : object.items()) {
    if (name.size() > model::kMaxLongName || !digest.is_string() ||
        !is_digest(digest.get_ref<const std::string&>()))
      return std::nullopt;
    out.emplace(name, digest.get<std::string>());
  }
  return out;
}

// What the file's own digest is over.
std::string sealed(const json& body) {
  return wire::to_hex(wire::sha256("sallyport reviews 1\n" + body.dump()));
}

}  // namespace

std::optional<review::Authorities> parse_authorities(const std::string& text) {
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("authorities")) return std::nullopt;
  return authorities_of(answer["authorities"]);
}

Result<std::optional<ReviewMemory>> read_review_memory(const std::string& path) {
  const auto damaged = [&] {
    return fail(ErrorKind::kInvalid, "review-memory-damaged",
                path + " does not verify: it is damaged, or was changed");
  };
  const auto text = read_whole(path, kMaxFile);
  if (!text) return damaged();
  if (!*text) return std::nullopt;
  const json file = json::parse(**text, nullptr, false);
  if (!file.is_object() || !file.contains("body") || !file.contains("sha256") ||
      file["sha256"] != sealed(file["body"]))
    return damaged();
  const json& body = file["body"];
  if (!body.is_object() || !body.contains("authorities") || !body.contains("day")) return damaged();
  ReviewMemory out;
  auto authorities = authorities_of(body["authorities"]);
  if (!authorities) return damaged();
  out.authorities = *std::move(authorities);
  if (body["day"].is_number_integer()) {
    const auto day = body["day"].get<std::int64_t>();
    if (day < 0 || day > kLastDay) return damaged();
    out.day = static_cast<std::int32_t>(day);
  }
  return out;
}

Result<void> write_review_memory(const std::string& path, const ReviewMemory& memory) {
  json body = {{"day", nullptr}, {"authorities", json::object()}};
  if (memory.day) body["day"] = *memory.day;
  for (const auto& [name, digest] : memory.authorities) body["authorities"][name] = digest;
  const json file = {{"body", body}, {"sha256", sealed(body)}};
  const auto written = write_synced(path, file.dump() + "\n");
  if (!written)
    return fail(written.error().kind, "review-memory-not-written", written.error().context);
  return {};
}

}  // namespace sallyport::control
