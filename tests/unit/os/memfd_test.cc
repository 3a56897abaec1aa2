#include "policy/os/memfd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>

namespace sallyport::os {
namespace {

constexpr std::array<std::uint8_t, 4> kContent = {1, 2, 3, 4};

// A memfd of one page with these seals.
UniqueFd with_seals(int seals, off_t size = 4096) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), size), 0);
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(SealedMemfd, CannotChangeAnyMore) {
  const auto fd = make_sealed("test", kContent);
  ASSERT_TRUE(fd);
  EXPECT_EQ(::write(fd->get(), "x", 1), -1);
  EXPECT_EQ(::ftruncate(fd->get(), 1), -1);
  EXPECT_EQ(::ftruncate(fd->get(), 8192), -1);
  EXPECT_EQ(::mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0), MAP_FAILED);
  EXPECT_EQ(::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
  const auto mapping = map_sealed(fd->get(), 4);
  ASSERT_TRUE(mapping);
  EXPECT_TRUE(std::ranges::equal(mapping->bytes(), kContent));
}

TEST(SealedMemfd, IsRefusedWithoutEverySeal) {
  constexpr int kAll = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  for (int missing : {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE}) {
    const UniqueFd fd = with_seals(kAll & ~missing);
    const auto mapping = map_sealed(fd.get(), 4096);
    ASSERT_FALSE(mapping) << missing;
    EXPECT_EQ(mapping.error().code, "memfd-not-sealed");
  }
  const UniqueFd complete = with_seals(kAll);
  EXPECT_TRUE(map_sealed(complete.get(), 4096));
}

TEST(SealedMemfd, OtherKindsOfDescriptorsAreRefused) {
  const UniqueFd file(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  const UniqueFd folder(::open("/", O_RDONLY | O_CLOEXEC));
  for (int fd : {file.get(), folder.get(), -1}) {
    const auto mapping = map_sealed(fd, 4096);
    ASSERT_FALSE(mapping);
    EXPECT_EQ(mapping.error().kind, ErrorKind::kInvalid);
  }
}

TEST(SealedMemfd, SizeIsBounded) {
  constexpr int kAll = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const UniqueFd empty = with_seals(kAll, 0);
  const UniqueFd page = with_seals(kAll, 4096);
  EXPECT_EQ(map_sealed(empty.get(), 4096).error().code, "memfd-bad-size");
  EXPECT_EQ(map_sealed(page.get(), 4095).error().code, "memfd-bad-size");
}

TEST(SharedMemfd, IsWrittenByBothAndResizedByNeither) {
  const auto fd = make_shared("test", 8192);
  ASSERT_TRUE(fd);
  EXPECT_EQ(::ftruncate(fd->get(), 4096), -1);
  EXPECT_EQ(::ftruncate(fd->get(), 16384), -1);
  auto one = map_shared(fd->get(), 8192);
  auto two = map_shared(fd->get(), 8192);
  ASSERT_TRUE(one && two);
  static_cast<std::uint8_t*>(one->data())[8191] = 9;
  EXPECT_EQ(two->bytes()[8191], 9);
}

TEST(SharedMemfd, IsRefusedUnlessOfExactlyThisSizeAndSealed) {
  const auto fd = make_shared("test", 8192);
  ASSERT_TRUE(fd);
  EXPECT_EQ(map_shared(fd->get(), 4096).error().code, "memfd-bad-size");
  EXPECT_EQ(map_shared(fd->get(), 16384).error().code, "memfd-bad-size");
  const UniqueFd loose = with_seals(F_SEAL_GROW | F_SEAL_SEAL);
  EXPECT_EQ(map_shared(loose.get(), 4096).error().code, "memfd-not-sealed");
}

TEST(Mapping, MovesAndLetsGoOnce) {
  const auto fd = make_sealed("test", kContent);
  auto first = map_sealed(fd->get(), 4);
  Mapping second = std::move(*first);
  EXPECT_FALSE(*first);  // NOLINT(bugprone-use-after-move): what is left is what is tested
  Mapping third;
  third = std::move(second);
  EXPECT_EQ(third.size(), 4U);
}

}  // namespace
}  // namespace sallyport::os
