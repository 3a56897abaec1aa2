#include "dataplane/names/dns_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sallyport::dataplane {
namespace {

// Builds responses record by record.
class Message {
 public:
  explicit Message(std::string_view question, std::uint16_t type = 1,
                   std::uint16_t flags = 0x8180) {
    be16(0x1234);
    be16(flags);
    be16(1);
    be16(0);
    be16(0);
    be16(0);
    name(question);
    be16(type);
    be16(1);
  }
  Message& a(std::string_view owner, std::uint32_t ttl, std::vector<std::uint8_t> address) {
    return record(owner, address.size() == 4 ? 1 : 28, ttl, address);
  }
  Message& cname(std::string_view owner, std::uint32_t ttl, std::string_view target) {
    Message scratch(target);
    return record(owner, 5, ttl, {scratch.bytes_.begin() + 12, scratch.bytes_.end() - 4});
  }
  Message& record(std::string_view owner, std::uint16_t type, std::uint32_t ttl,
                  const std::vector<std::uint8_t>& data) {
    name(owner);
    be16(type);
    be16(1);
    be16(static_cast<std::uint16_t>(ttl >> 16));
    be16(static_cast<std::uint16_t>(ttl));
    be16(static_cast<std::uint16_t>(data.size()));
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    ++bytes_[7];
    return *this;
  }
  std::vector<std::uint8_t> bytes_;

 private:
  void be16(std::uint16_t v) {
    bytes_.push_back(static_cast<std::uint8_t>(v >> 8));
    bytes_.push_back(static_cast<std::uint8_t>(v));
  }
  void name(std::string_view text) {
    while (!text.empty()) {
      const auto dot = text.find('.');
      const auto label = text.substr(0, dot);
      bytes_.push_back(static_cast<std::uint8_t>(label.size()));
      bytes_.insert(bytes_.end(), label.begin(), label.end());
      text = dot == std::string_view::npos ? "" : text.substr(dot + 1);
    }
    bytes_.push_back(0);
  }
};

TEST(DnsAnswer, KeepsTheAddressesOfTheNameAsked) {
  const auto answer = parse_dns_answer(Message("Broker.Example")
                                           .a("broker.example", 60, {203, 0, 113, 9})
                                           .a("other.example", 60, {203, 0, 113, 10})
                                           .bytes_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->question().text(), "broker.example");
  ASSERT_EQ(answer->addresses().size(), 1U);
  EXPECT_EQ(answer->addresses()[0].address.to_string(), "203.0.113.9");
  EXPECT_EQ(answer->addresses()[0].ttl_s, 60U);
}

TEST(DnsAnswer, FollowsAliasesInAnyOrderAndTakesTheSmallestTtl) {
  const auto answer = parse_dns_answer(Message("a.example")
                                           .a("c.example", 300, {192, 0, 2, 1})
                                           .cname("b.example", 20, "c.example")
                                           .cname("a.example", 60, "b.example")
                                           .bytes_);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->addresses().size(), 1U);
  EXPECT_EQ(answer->addresses()[0].ttl_s, 20U);
}

TEST(DnsAnswer, KeepsWhatWasAskedForAndNoOtherType) {
  std::vector<std::uint8_t> v6(16);
  v6[0] = 0x20;
  const auto answer = parse_dns_answer(
      Message("a.example").a("a.example", 60, v6).a("a.example", 60, {192, 0, 2, 1}).bytes_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->asked().id, 0x1234);
  EXPECT_EQ(answer->asked().type, 1);
  ASSERT_EQ(answer->addresses().size(), 1U);
  EXPECT_EQ(answer->addresses()[0].address.to_string(), "192.0.2.1");
}

TEST(DnsQuestion, IsAPlainQueryForOneAddressSet) {
  const auto asked = parse_dns_question(Message("A.Example", 28, 0x0100).bytes_);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->id, 0x1234);
  EXPECT_EQ(asked->type, 28);
  EXPECT_EQ(asked->name.text(), "a.example");
  EXPECT_FALSE(parse_dns_question(Message("a.example", 15, 0x0100).bytes_)) << "MX";
  EXPECT_FALSE(parse_dns_question(Message("a.example", 1, 0x8100).bytes_)) << "a response";
  EXPECT_FALSE(parse_dns_question(Message("a.example", 1, 0x2900).bytes_)) << "an update";
  auto two = Message("a.example", 1, 0x0100).bytes_;
  two[5] = 2;
  EXPECT_FALSE(parse_dns_question(two)) << "two questions";
  auto chaos = Message("a.example", 1, 0x0100).bytes_;
  chaos.back() = 3;
  EXPECT_FALSE(parse_dns_question(chaos)) << "class CH";
  auto cut = Message("a.example", 1, 0x0100).bytes_;
  for (; !cut.empty(); cut.pop_back()) {
    if (cut.size() < Message("a.example").bytes_.size()) {
      EXPECT_FALSE(parse_dns_question(cut)) << cut.size();
    }
  }
}

TEST(DnsAnswer, AnAliasLoopIsNoAnswer) {
  EXPECT_FALSE(parse_dns_answer(Message("a.example")
                                    .cname("a.example", 60, "b.example")
                                    .cname("b.example", 60, "a.example")
                                    .bytes_));
}

TEST(DnsAnswer, ReadsIpv6AndRefusesMappedAddresses) {
  std::vector<std::uint8_t> v6(16);
  v6[0] = 0x20;
  v6[15] = 9;
  std::vector<std::uint8_t> mapped(16);
  mapped[10] = mapped[11] = 0xff;
  mapped[15] = 9;
  const auto answer = parse_dns_answer(
      Message("a.example", 28).a("a.example", 1, v6).a("a.example", 1, mapped).bytes_);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->addresses().size(), 1U);
  EXPECT_EQ(answer->addresses()[0].address.to_string(), "2000::9");
}

TEST(DnsAnswer, RefusesWhatIsNotASuccessfulCompleteResponse) {
  struct Case {
    const char* name;
    std::uint16_t flags;
  };
  for (const Case& c : {Case{"query", 0x0100}, Case{"truncated", 0x8380},
                        Case{"name error", 0x8183}, Case{"notify", 0xa180}}) {
    EXPECT_FALSE(
        parse_dns_answer(Message("a.example", 1, c.flags).a("a.example", 1, {192, 0, 2, 1}).bytes_))
        << c.name;
  }
  EXPECT_FALSE(parse_dns_answer(Message("a.example", 15).bytes_)) << "MX question";
}

TEST(DnsAnswer, EveryTruncationIsNoAnswer) {
  const auto whole = Message("a.example")
                         .cname("a.example", 60, "b.example")
                         .a("b.example", 60, {192, 0, 2, 1})
                         .bytes_;
  ASSERT_TRUE(parse_dns_answer(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_dns_answer(ConstBytes(whole).first(size))) << size;
  }
}

TEST(DnsAnswer, APointerToItselfOrForwardIsRefused) {
  for (std::uint8_t target : {std::uint8_t{12}, std::uint8_t{40}}) {
    std::vector<std::uint8_t> bytes = {0, 1, 0x81, 0x80, 0,      1, 0, 0, 0,
                                       0, 0, 0,    0xc0, target, 0, 1, 0, 1};
    bytes.resize(64);
    EXPECT_FALSE(parse_dns_answer(bytes)) << int{target};
  }
}

TEST(DnsAnswer, ALabelWithABytethatNoHostNameHasIsRefused) {
  EXPECT_FALSE(
      parse_dns_answer(Message("a b.example").a("a b.example", 60, {192, 0, 2, 1}).bytes_));
}

}  // namespace
}  // namespace sallyport::dataplane
