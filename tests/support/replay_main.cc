// Replays a fuzz target's seeds/ and regress/ as an ordinary test, in every preset that is not
// `fuzz`.
//
// usage: fuzz_NAME (FILE | DIRECTORY)...   Directories are walked in name order, so a failure names
// the same file each time. A corpus without a single file is a failure: a target that runs on
// nothing proves nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) __attribute__((weak));

namespace {

std::vector<std::filesystem::path> corpus_files(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    const fs::path given = argv[i];
    if (fs::is_regular_file(given)) files.push_back(given);
    if (!fs::is_directory(given)) continue;  // a target without regressions yet has no regress/
    for (const auto& entry : fs::recursive_directory_iterator(given)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(in),
                               std::istreambuf_iterator<char>()};
  return {text.begin(), text.end()};
}

}  // namespace

int main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  const auto files = corpus_files(argc, argv);
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n",
                 file.c_str());  // unbuffered: the last name printed is the one that crashed
    // An exact heap copy, so that asan sees the first byte read past the end.
    const auto input = read_file(file);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  if (files.empty()) {
    std::fprintf(stderr, "no corpus file in the arguments\n");
    return 1;
  }
  std::fprintf(stderr, "%zu inputs replayed\n", files.size());
  return 0;
}
