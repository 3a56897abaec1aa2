#include "policy/decide/names.h"

#include <gtest/gtest.h>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::decide {
namespace {

std::vector<std::uint8_t> wire_form(std::string_view name) {
  std::vector<std::uint8_t> out;
  while (!name.empty()) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    out.push_back(static_cast<std::uint8_t>(dot));
    out.insert(out.end(), name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back(0);
  return out;
}

class NamesTest : public ::testing::Test {
 protected:
  const compile::Compiled compiled_ = testing::compiled(testing::sample_gateway());
  const Names names_{testing::view_of(compiled_)};
};

TEST_F(NamesTest, FindsNamesOfConduitsAndOfServersInAnyCase) {
  EXPECT_TRUE(names_.destination_class("time.example"));
  EXPECT_TRUE(names_.destination_class("broker.example"));
  EXPECT_EQ(names_.destination_class(wire_form("TIME.Example")),
            names_.destination_class("time.example"));
}

TEST_F(NamesTest, DeniesEverythingElse) {
  EXPECT_FALSE(names_.destination_class("example"));
  EXPECT_FALSE(names_.destination_class("x.time.example"));
  EXPECT_FALSE(names_.destination_class(""));
  EXPECT_FALSE(names_.destination_class("time.example."));
  EXPECT_FALSE(names_.destination_class(wire_form("tim.example")));
  EXPECT_FALSE(Names().destination_class("time.example"));
}

TEST_F(NamesTest, RefusesMalformedWireNames) {
  auto whole = wire_form("time.example");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(names_.destination_class(ConstBytes(whole).first(size))) << size;
  auto trailing = whole;
  trailing.push_back(0);
  EXPECT_FALSE(names_.destination_class(trailing));
  auto pointer = whole;
  pointer[0] = 0xc0;  // RFC 1035 §4.1.4
  EXPECT_FALSE(names_.destination_class(pointer));
  // A dot inside a label is not a separator.
  const std::vector<std::uint8_t> dotted = {12,  't', 'i', 'm', 'e', '.', 'e',
                                            'x', 'a', 'm', 'p', 'l', 'e', 0};
  EXPECT_FALSE(names_.destination_class(dotted));
  EXPECT_FALSE(names_.destination_class(std::vector<std::uint8_t>(256, 63)));
}

}  // namespace
}  // namespace sallyport::decide
