# Debian source packages of another suite, through a private apt whose sources are derived from the machine's own:
# the mirror, its proxy and its credentials are whatever the machine uses; the system's lists are not touched.
# apt itself verifies the Release signature with debian-archive-keyring; sizes and SHA-256 come from the signed index.
readonly apt_etc=${SALLYPORT_APT_ETC:-/etc/apt}  # tests point this elsewhere
readonly archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the URIs of the machine's binary sources whose suite matches the extended regular expression $1.
apt_uris_of_suite() {
  local file
  for file in "$apt_etc"/sources.list.d/*.sources; do
    [[ -e $file ]] || continue
    awk -v re="^($1)\$" '
      function flush(  i, j, n, m, u, s) {
        if (types ~ /(^| )deb( |$)/ && components ~ /(^| )main( |$)/ && enabled != "no") {
          n = split(uris, u, " "); m = split(suites, s, " ")
          for (i = 1; i <= m; i++) if (s[i] ~ re) { for (j = 1; j <= n; j++) print u[j]; break }
        }
        types = uris = suites = components = enabled = ""
      }
      /^[[:space:]]*$/ { flush(); next }
      /^#/ { next }
      { key = tolower($1); value = $0; sub(/^[^:]*:[[:space:]]*/, "", value) }
      key == "types:" { types = value }
      key == "uris:" { uris = value }
      key == "suites:" { suites = value }
      key == "components:" { components = value }
      key == "enabled:" { enabled = tolower(value) }
      END { flush() }' "$file"
  done
  for file in "$apt_etc"/sources.list "$apt_etc"/sources.list.d/*.list; do
    [[ -e $file ]] || continue
    sed -n 's/^[[:space:]]*deb[[:space:]]\+\(\[[^]]*\][[:space:]]\+\)\?//p' "$file" |
      awk -v re="^($1)\$" '$2 ~ re && / main( |$)/ { print $1 }'
  done
}

# apt_private NAME SUITE...: prepares a private apt named NAME that knows only the sources of the given suites
# ("-security" suites come from the machine's security archive) and updates its lists.
apt_private() {
  local name=$1 codename dir="$cache/apt/$1" suite uri found
  shift
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [[ -n $codename ]] || die "/etc/os-release names no codename: is this Debian?"
  [[ -r $archive_keyring ]] || die "$archive_keyring is missing (package debian-archive-keyring)"
  mkdir -p "$dir"/{lists/partial,cache/archives/partial,etc}
  : >"$dir/status"
  : >"$dir/sources.list"
  for suite in "$@"; do
    if [[ $suite == *-security ]]; then found=$(apt_uris_of_suite "$codename-security"); else found=$(apt_uris_of_suite "$codename"); fi
    uri=$(printf '%s\n' "$found" | grep -v '^$' | head -n 1 || true)
    [[ -n $uri ]] || { note "no source of this machine to derive $suite from"; continue; }
    printf 'deb-src [signed-by=%s] %s %s main\n' "$archive_keyring" "$uri" "$suite" >>"$dir/sources.list"
  done
  [[ -s $dir/sources.list ]] || return 1
  cat >"$dir/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "$dir";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Retries "2";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
CONF
  apt-get -c "$dir/apt.conf" -q update
}

# Newest version of source package $2 that the private apt $1 knows; empty when it knows none.
apt_source_version() {
  local best='' version
  while read -r version; do
    if [[ -z $best ]] || dpkg --compare-versions "$version" gt "$best"; then best=$version; fi
  done < <(apt-cache -c "$cache/apt/$1/apt.conf" showsrc --only-source "$2" 2>/dev/null | sed -n 's/^Version: //p')
  printf '%s' "$best"
}

# apt_source_fetch NAME PACKAGE VERSION DIR: downloads what the mirror has. A file that arrives is kept only if size
# and SHA-256 are those of the signed index; prints the verified names. Missing files are the caller's business.
apt_source_fetch() {
  local conf="$cache/apt/$1/apt.conf" dir=$4 list file size sum
  mkdir -p "$dir"
  list=$(apt-get -c "$conf" -qq source --print-uris "$2=$3" | sed -n "s/^'[^']*' \([^ ]*\) \([0-9]*\) SHA256:\([0-9a-f]\{64\}\)\$/\1 \2 \3/p")
  [[ -n $list ]] || return 1
  (cd "$dir" && apt-get -c "$conf" -q source --download-only "$2=$3") >&2 || true
  while read -r file size sum; do
    [[ -e $dir/$file ]] || continue
    if [[ $(stat -c %s "$dir/$file") == "$size" ]] && printf '%s  %s\n' "$sum" "$dir/$file" | sha256sum -c --status; then
      printf '%s\n' "$file"
    else
      echo "size or SHA-256 of $file is not the signed index's: removed" >&2
      rm -f "$dir/$file"
    fi
  done <<<"$list"
}
