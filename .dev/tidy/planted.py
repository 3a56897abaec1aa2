#!/usr/bin/env python3
"""usage: planted.py ROOT [PLUGIN]   clang-tidy 19 with the tree's profile finds each mistake that is planted here where it is planted;
with the plugin it finds exactly what it finds without."""
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = """#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace planted {

struct Base {
  virtual ~Base() = default;
  virtual int size(int unit);
};
struct Derived : Base {
  ~Derived();                                        // modernize-use-override
  virtual int size(int unit);                        // modernize-use-override
};
struct Moved {
  Moved(Moved&& other) : text(std::move(other.text)) {}  // performance-noexcept-move-constructor
  std::string text;
};
int defined_in_header(int value) { return value; }   // misc-definitions-in-headers
template <class T>
std::size_t used_after_move(T value) {
  std::vector<T> kept;
  kept.push_back(std::move(value));
  return kept.size() + value.size();                 // bugprone-use-after-move
}
template <class T>
struct Holder {
  T* item = 0;                                       // modernize-use-nullptr
  bool same() const { return item == item; }
};
#define PLANTED_TWICE(function) inline int function##_twice(double value) { return int(value + 0.5) + int(value + 0.5); }

}  // namespace planted
template <>
struct std::hash<planted::Moved> {
  std::size_t operator()(const planted::Moved& moved) const {
    const char* none = 0;                            // modernize-use-nullptr
    return none == nullptr ? moved.text.size() : 0;
  }
};
"""

SOURCE = """#include "policy/planted.h"

#include <string.h>                                  // modernize-deprecated-headers

#include <atomic>
#include <cstdlib>
#include <expected>
#include <mutex>

namespace planted {

PLANTED_TWICE(rounded)                               // bugprone-incorrect-roundings
std::expected<int, int> answer() { return 1; }
std::mutex gate;
std::atomic<int> stopped;
extern "C" int from_c(int count, char** words) {
  return count > 1 ? atoi(words[1]) : 0;             // cert-err34-c
}
void wait() {
  bool going = true;
  while (going) {                                    // bugprone-infinite-loop
    int other = 0;
    (void)other;
  }
}
void walk(std::map<int, std::string>& names, std::vector<int>& numbers) {
  for (const std::pair<int, std::string>& name : names) numbers.push_back(name.first);  // performance-implicit-conversion-in-loop
  for (auto name : names) numbers.push_back(static_cast<int>(name.second.size()));  // performance-for-range-copy
  answer();                                          // bugprone-unused-return-value
  std::remove(numbers.begin(), numbers.end(), 1);    // bugprone-unused-return-value
  numbers.erase(std::remove(numbers.begin(), numbers.end(), 2));  // bugprone-inaccurate-erase
  std::lock_guard<std::mutex>{gate};                 // bugprone-unused-raii
  std::sort(numbers.begin(), numbers.end(), [](const auto& a, const auto& b) {
    auto kept = a;
    return kept == kept || a < b;                    // misc-redundant-expression
  });
}
int leak(int size) {
  int* items = static_cast<int*>(malloc(sizeof(int) * static_cast<std::size_t>(size)));
  int* none = nullptr;
  if (size > 3) return *none;                        // clang-analyzer-core.NullDereference
  if (!items) return 0;
  return items[0];                                   // clang-analyzer-core.uninitialized.UndefReturn
}
bool leaked(std::size_t size) {
  void* items = malloc(size);
  return items != nullptr;                           // clang-analyzer-unix.Malloc
}
std::unique_ptr<int> made() { return std::unique_ptr<int>(new int(1)); }  // modernize-make-unique
void emplaced(std::vector<std::pair<int, int>>& pairs) {
  pairs.push_back(std::make_pair(1, 2));             // modernize-use-emplace
}
std::size_t filled() {
  Holder<Moved> holder;
  memset(&holder.item, 'a', 0);                      // bugprone-suspicious-memset-usage
  return used_after_move(std::string("text")) + std::string("text", 100).size() + (holder.same() ? 1u : 0u);  // bugprone-string-constructor
}
Base caught() {
  try {
    return Base();
  } catch (std::bad_alloc error) {                   // misc-throw-by-value-catch-by-reference
  }
  return Derived();                                  // a slice is no check's of the profile
}
bool starts(const std::string& text) { return text.find("a") == 0; }  // modernize-use-starts-ends-with

}  // namespace planted
"""


def findings(folder, root, options):
    done = subprocess.run(["clang-tidy-19", "--quiet", f"--config-file={root}/.clang-tidy", *options, f"{folder}/policy/planted.cc", "--",
                           "-std=c++23", "-w", f"-I{folder}"], capture_output=True, text=True, check=False)
    found = set()
    for name, line, names in re.findall(r"/policy/(planted\.(?:h|cc)):(\d+):\d+: error: .*\[([^\]]+)\]$", done.stdout, re.M):
        found.update((name, int(line), one) for one in names.split(",") if one != "-warnings-as-errors")
    return found, done.stdout + done.stderr


def main(root, plugin=None):
    planted = set()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "policy").mkdir()
        for name, text in (("planted.h", HEADER), ("planted.cc", SOURCE)):
            pathlib.Path(folder, "policy", name).write_text(text)
            for number, line in enumerate(text.split("\n"), 1):
                planted.update((name, number, check) for check in re.findall(r"// ((?:bugprone|cert|clang|misc|modernize|performance)-\S+)$", line))
        found, said = findings(folder, root, [])
        wrong = [f"not found: {one}" for one in sorted(planted - found)]
        if plugin:
            with_it, said = findings(folder, root, [f"--load={plugin}", "--checks=sallyport-own-code"])
            wrong += [f"with or without the plugin only: {one}" for one in sorted(found ^ with_it)]
    print("\n".join(wrong) + ("\n" + said if wrong else f"{len(planted)} planted, {len(found)} found"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
