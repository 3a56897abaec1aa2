#include "policy/decide/names.h"

#include <gtest/gtest.h>

#include <set>

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

// Every byte that a host name may have, found in text and in wire form, in either case; names
// around it in the table on both sides.
TEST(Names, FindsEachOfManyAndNothingBetween) {
  const std::string longest = std::string(63, 'm') + "." + std::string(63, 'n') + "." +
                              std::string(63, 'o') + "." + std::string(61, 'p');  // 253 bytes
  const std::string kNames[] = {"a-z.example", "az09.example", "az_.example", "b.example",
                                "m.m",         longest,        "z.zz"};
  model::Gateway gateway = testing::bare_gateway();
  for (const std::string& name : kNames)
    testing::add_conduit(gateway, "c" + std::to_string(gateway.conduits.size()),
                         testing::device("camera"), testing::name(name), testing::udp(123));
  const auto compiled = testing::compiled(gateway);
  const Names names(testing::view_of(compiled));
  std::set<std::uint32_t> classes;
  for (const std::string& name : kNames) {
    const auto found = names.destination_class(name);
    ASSERT_TRUE(found) << name;
    EXPECT_TRUE(classes.insert(*found).second) << name;
    std::string loud = name;
    for (char& c : loud)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    EXPECT_EQ(names.destination_class(loud), found) << name;
    EXPECT_EQ(names.destination_class(wire_form(name)), found) << name;
    EXPECT_EQ(names.destination_class(wire_form(loud)), found) << name;
    EXPECT_FALSE(names.destination_class(name + "a")) << name;
    EXPECT_FALSE(names.destination_class(wire_form("a" + name))) << name;
  }
  // Neighbours of letters and digits in ASCII are no letters and digits.
  for (const char* other : {"a-@.example", "a-[.example", "a-`.example", "a-{.example",
                            "az0:.example", "az/9.example", "a.z.example", ".b.example"})
    EXPECT_FALSE(names.destination_class(std::string_view(other))) << other;
  for (const char byte : {'@', '[', '`', '{', '/', ':', '.', '\0', ' '}) {
    auto spoiled = wire_form("az09.example");
    spoiled[2] = static_cast<std::uint8_t>(byte);
    EXPECT_FALSE(names.destination_class(spoiled)) << byte;
  }
  EXPECT_FALSE(names.destination_class(std::string(254, 'a')));
  EXPECT_FALSE(names.destination_class(wire_form(longest + ".q")));
  EXPECT_FALSE(names.destination_class(wire_form("")));
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
  // A label of 64 bytes is none, also where the bytes are there (RFC 1035 §2.3.4).
  std::vector<std::uint8_t> wide(1, 64);
  wide.insert(wide.end(), 64, 'a');
  wide.push_back(0);
  EXPECT_FALSE(names_.destination_class(wide));
}

}  // namespace
}  // namespace sallyport::decide
