// golden.md and golden.html are the document of one gateway, byte for byte; look at them.
// `SALLYPORT_UPDATE_GOLDEN=1 unit_document` writes them anew; the difference is then reviewed.
#include "policy/document/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/policy/sample_gateway.h"
#include "tests/support/source_tree.h"

namespace sallyport::document {
namespace {

struct Documented {
  model::Gateway gateway;
  compile::Compiled compiled;
  wire::SnapshotView view;
  prove::Proof proof;

  explicit Documented(model::Gateway given)
      : gateway(std::move(given)),
        compiled(testing::compiled(gateway, input())),
        view(testing::view_of(compiled)),
        proof(prove::prove(view, gateway, std::nullopt)) {}

  static compile::CompileInput input() {
    compile::CompileInput out;
    out.revision = 7;
    return out;
  }
  Subject subject() const {
    return {gateway, view, proof, std::string(64, 'a'), std::string(64, 'b')};
  }
};

model::Gateway plant() {
  model::Gateway out = testing::sample_gateway();
  out.conduits[3].review.reset();
  out.conduits[4].review->reason = "the camera's <clock> | \"time\"";
  out.conduits[4].review->signatures = {{"anna", "AA=="}, {"bert", "AA=="}};
  out.review_rules.required_signatures = 2;
  return out;
}

void expect_golden(const std::string& seen, const char* name) {
  const std::string path = source_path("tests/unit/document/" + std::string(name));
  if (std::getenv("SALLYPORT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << seen;
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(seen, expected.str());
}

TEST(Document, ReadsAsReviewed) {
  const Documented documented(plant());
  expect_golden(to_markdown(documented.subject()), "golden.md");
  expect_golden(to_html(documented.subject()), "golden.html");
}

TEST(Document, SameRevisionIsSameBytes) {
  const Documented one(plant());
  const Documented other(plant());
  EXPECT_EQ(to_markdown(one.subject()), to_markdown(other.subject()));
  EXPECT_EQ(to_html(one.subject()), to_html(other.subject()));
}

// What an operator wrote stays text, whatever it looks like.
TEST(Document, TextsCannotBecomeMarkup) {
  model::Gateway hostile = plant();
  const std::string evil = "</td><script>x</script>|`*_[a](b)\x1b[2J\n&\"'";
  for (model::Conduit& c : hostile.conduits) {
    c.review = testing::reviewed();
    c.review->reason = evil;
    c.review->by = evil;
    c.review->signatures = {{evil, "AA=="}};
  }
  hostile.review_rules.reviewers = {{"anna", evil}};
  const Documented documented(hostile);
  const std::string html = to_html(documented.subject());
  const std::string markdown = to_markdown(documented.subject());
  for (const std::string& text : {html, markdown}) {
    EXPECT_EQ(text.find("<script"), std::string::npos);
    EXPECT_TRUE(std::ranges::none_of(text, [](char c) {
      return (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == 0x7f;
    }));
  }
  // Every row has as many cells as its table's head.
  std::istringstream lines(markdown);
  std::size_t cells = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('|')) {
      cells = 0;
      continue;
    }
    std::size_t borders = 0;
    for (std::size_t i = 0; i < line.size(); ++i)
      borders += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    if (cells == 0) cells = borders;
    EXPECT_EQ(borders, cells) << line;
  }
}

TEST(Document, EveryRuleOfTheMatrixIsInThePicture) {
  const Documented documented(plant());
  const std::string html = to_html(documented.subject());
  for (const char* words : {"<title>field to virtual: meter-to-cloud", "<title>office to gateway: ",
                            "<title>office to field: scada-inspected, scada-pings"})
    EXPECT_NE(html.find(words), std::string::npos) << words;
}

TEST(Document, WhatDeniesIsSaid) {
  const Documented documented(plant());
  const std::string markdown = to_markdown(documented.subject());
  const std::size_t at = markdown.find("| office-sees-camera |");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(markdown.substr(at, markdown.find('\n', at) - at).find("no: it denies"),
            std::string::npos);
}

}  // namespace
}  // namespace sallyport::document
