// Signed reviews in the whole of control: what voids them while it runs, who may change who signs,
// what `sallyctl review` shows.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "control/cli/review_edit.h"
#include "control/config/load.h"
#include "tests/support/review/reviewers.h"
#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr const char* kText = R"(version: 1
ports: { lan1: { device: "net_null0" } }
segments: { field: { ports: [lan1], address: 10.20.0.1/24, mac: "02:00:00:00:00:02" } }
devices:
  a: { segment: field, port: lan1, mac: "02:00:00:00:20:05", address: 10.20.0.5 }  # the press
  b: { segment: field, port: lan1, mac: "02:00:00:00:20:06", address: 10.20.0.6 }
conduits:
  plain: { from: a, to: b, service: tcp/1, review: { by: x, on: 2026-10-01, expires: 2036-11-11, reason: r } }
  tls:
    from: b
    to: a
    service: tcp/2
    terminate: { side: inbound, listen: { address: gateway, port: 802 }, certificate: gw, client-auth: required, client-ca: plant-ca }
    review:
      by: x
      on: 2026-10-01
      expires: 2036-11-11
      reason: r  # because
)";

class SignedReviews : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    settings_.wall_clock = [this] { return wall_now_; };
    start();
    answer_with(std::string(64, 'a'));
  }

  // The terminator's key store from now on.
  void answer_with(std::string digest) {
    authorities_ = {{"plant-ca", digest}};
    terminator_->answer = [digest](const wire::Query& query) -> std::string {
      if (query.what()->str() != "authorities") return "{}";
      return json{{"authorities", {{"plant-ca", digest}}}}.dump();
    };
  }

  static std::string rules(int required) {
    std::string out = "control:\n  review:\n    required-signatures: " + std::to_string(required) +
                      "\n    reviewers:\n";
    for (const char* name : {"anna", "bert"})
      out += "      - { name: " + std::string(name) +
             ", key: " + json(testing::public_key(name)).dump() + " }\n";
    return out;
  }

  std::string sign(const std::string& text, const char* conduit, const char* reviewer) {
    auto gateway = load_config(text);
    EXPECT_TRUE(gateway) << format_problems("", gateway.error());
    testing::sign_review(*gateway, conduit, reviewer, authorities_);
    for (const model::Conduit& one : gateway->conduits)
      if (one.name == conduit) {
        const auto out = put_review_signature(text, conduit, one.review->signed_text,
                                              one.review->signatures.back());
        EXPECT_TRUE(out) << out.error().context;
        return out.value_or("");
      }
    return {};
  }

  json review(const std::string& name) {
    json answer = ask({{"op", "review"}});
    for (const json& one : std::as_const(answer)["result"])
      if (one["conduit"] == name) return one;
    return answer;
  }
  // After control has asked the terminator.
  bool knows_authorities() {
    return until([&] {
      return read_file(settings_.state_dir + "/reviews.json").find(authorities_["plant-ca"]) !=
             std::string::npos;
    });
  }

  review::Authorities authorities_;
};

TEST_F(SignedReviews, OnlyTheSignedOnePermitsAndReviewSaysWhy) {
  ASSERT_TRUE(knows_authorities());
  ASSERT_EQ(apply(sign(kText + rules(1), "tls", "anna"))["ok"], true);
  EXPECT_EQ(review("tls")["state"], "valid");
  EXPECT_EQ(review("tls")["signed_by"], json::array({"anna"}));
  EXPECT_EQ(review("plain")["state"], "unsigned");
  const json shown = ask({{"op", "show"}, {"what", "conduits"}})["result"];
  for (const json& one : shown) EXPECT_EQ(one["in_force"], one["name"] == "tls") << one;
}

TEST_F(SignedReviews, EditTouchesNothingElse) {
  const std::string text = kText + rules(1);
  std::string out = sign(sign(text, "tls", "anna"), "plain", "anna");
  EXPECT_NE(out.find("reason: r  # because"), std::string::npos);
  // Without what was put in it is the text of before.
  for (int i = 0; i < 2; ++i) {
    const std::size_t begin = out.find("signed: ");
    std::size_t end = out.find(" ]", out.find("signatures: [", begin)) + 2;
    while (out[end] == ',' || out[end] == '\n') ++end;
    while (out[end] == ' ' && out[end + 1] == ' ') ++end;
    const std::size_t first = out[begin - 1] == ' ' && out[begin - 2] == '{' ? begin - 1 : begin;
    if (first == begin)
      while (out[end] == ' ') ++end;
    out.erase(first, end - first);
  }
  EXPECT_EQ(out, text);
}

TEST_F(SignedReviews, AnotherSignatureJoinsAndAStaleOneGoes) {
  const std::string text = kText + rules(2);
  const std::string both = sign(sign(text, "plain", "anna"), "plain", "bert");
  EXPECT_EQ(load_config(both)->conduits[0].review->signatures.size(), 2U);
  std::string moved = both;
  moved.replace(moved.find("20:06"), 5, "20:99");
  const std::string again = sign(moved, "plain", "bert");
  const auto gateway = load_config(again);
  ASSERT_EQ(gateway->conduits[0].review->signatures.size(), 1U);
  EXPECT_EQ(gateway->conduits[0].review->signatures[0].by, "bert");
}

TEST_F(SignedReviews, ACaThatChangesVoidsWhatNamesItWithoutACommit) {
  ASSERT_TRUE(knows_authorities());
  const std::string text = sign(sign(kText + rules(1), "tls", "anna"), "plain", "anna");
  ASSERT_EQ(apply(text)["ok"], true);
  EXPECT_EQ(review("tls")["state"], "valid");
  const std::string before = authorities_["plant-ca"];
  answer_with(std::string(64, 'b'));
  ASSERT_TRUE(everywhere(2));
  EXPECT_EQ(review("tls")["state"], "void");
  EXPECT_NE(review("tls")["why"].get<std::string>().find("hash of plant-ca changed from aaaa"),
            std::string::npos);
  EXPECT_EQ(review("plain")["state"], "valid");
  // A start without a terminator judges by what was told last.
  terminator_->answer = [](const wire::Query&) { return "{}"; };
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_EQ(review("tls")["state"], "void");
  answer_with(before);
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(review("tls")["state"], "valid");
}

TEST_F(SignedReviews, WhoSignsIsChangedByThoseWhoSignAlone) {
  ASSERT_EQ(apply(kText + rules(1))["ok"], true);
  const std::string weaker = kText + rules(0);
  const json refused = apply(weaker);
  EXPECT_EQ(refused["code"], "reviewers-not-signed") << refused;
  EXPECT_NE(refused["message"].get<std::string>().find("anna, bert"), std::string::npos);
  EXPECT_EQ(apply(kText)["code"], "reviewers-not-signed");
  EXPECT_EQ(dataplane_->in_force, 1U);
  auto after = load_config(weaker)->review_rules;
  testing::sign_rules(load_config(kText + rules(1))->review_rules, after, "bert");
  const auto signed_text = put_rules_signature(weaker, {}, after.signatures[0]);
  ASSERT_TRUE(signed_text) << signed_text.error().context;
  ASSERT_EQ(apply(*signed_text)["ok"], true);
  // And what it protected before is not protected any more.
  EXPECT_EQ(apply(kText)["ok"], true);
}

TEST_F(SignedReviews, GoingBackByItselfNeedsNoSignature) {
  set_boot_clock();
  start();
  ASSERT_EQ(apply(kText)["ok"], true);
  const json applied =
      ask({{"op", "apply"}, {"yes", true}, {"confirm_within", 60}}, kText + rules(2));
  ASSERT_EQ(applied["ok"], true) << applied;
  boot_now_ += Millis(61'000);
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(stored_texts().rbegin()->second, kText);
}

TEST_F(SignedReviews, DamagedMemoryIsToldAndKept) {
  ASSERT_TRUE(knows_authorities());
  const std::string path = settings_.state_dir + "/reviews.json";
  const std::string whole = read_file(path);
  for (const std::string& wrong :
       {std::string(), std::string("{}"), whole.substr(0, whole.size() / 2),
        std::string(whole).replace(whole.find("\"day\":") + 6, 1, "1")}) {
    control_.reset();
    std::ofstream(path, std::ios::trunc) << wrong;
    std::filesystem::remove(path + ".damaged");
    start();
    EXPECT_EQ(events("review-memory-damaged").size(), 1U) << wrong;
    EXPECT_EQ(read_file(path + ".damaged"), wrong);
    ASSERT_TRUE(knows_authorities());
  }
}

}  // namespace
}  // namespace sallyport::control
