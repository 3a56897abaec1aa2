# The plugin of clang-tidy 19 (.dev/tidy/own_code.cc), compiled into the cache. What it needs stands in .dev/packages-tidy.txt and is
# large, so it is installed only where the plugin is not in the cache yet.

# tidy_plugin: prints the plugin's path, or nothing where it cannot be had. What is done is told on standard error.
tidy_plugin() {
  local source="$root/.dev/tidy/own_code.cc" llvm=/usr/lib/llvm-19 key plugin
  key=$({ cat "$source"; declare -f tidy_plugin; clang-tidy-19 --version; gcc -dumpfullversion; } | sha256sum | cut -c1-16)
  plugin="$cache/tidy-plugin/own_code-$key.so"
  if [[ ! -e $plugin ]]; then
    mkdir -p "$cache/tidy-plugin"
    (packages_install "$root/.dev/packages-tidy.txt") >&2 || return 0
    quiet_step "compile the plugin of clang-tidy" "$cache/log/tidy-plugin.log" g++ -std=c++17 -O1 -fPIC -shared -fno-rtti \
      -isystem "$llvm/include" -o "$plugin.new" "$source" >&2 || return 0
    mv "$plugin.new" "$plugin"
  fi
  echo "$plugin"
}
