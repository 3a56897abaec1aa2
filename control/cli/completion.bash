
# Looks words up in the tables above. Never waits for the gateway longer than a second; never lets bash expand what it answered.

# _sallyctl_offer WORD...: those that go on from what is typed.
_sallyctl_offer() {
  local word
  for word; do if [[ $word == "$current"* ]]; then COMPREPLY+=("$word"); fi; done
}

# _sallyctl_ask ARGUMENT... KEY: the values of KEY in a list that sallyctl prints.
_sallyctl_ask() {
  timeout 1 "$program" "${run_dir[@]}" --json "${@:1:$#-1}" 2>/dev/null |
    sed -n "s/^    \"${!#}\": \"\\{0,1\\}\\([A-Za-z0-9._-]*\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" | head -n 1000
}

# _sallyctl_value KIND: what a value of that kind may be.
_sallyctl_value() {
  local kind=$1 question questions words
  case $kind in
    '') ;;
    FILE)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames 2>/dev/null
      ;;
    FOLDER)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      compopt -o filenames 2>/dev/null
      ;;
    {*})
      IFS=, read -ra words <<<"${kind:1:-1}"
      _sallyctl_offer "${words[@]}"
      ;;
    *)
      read -ra words <<<"${_sallyctl_words[$kind]-}"
      _sallyctl_offer "${words[@]}"
      IFS=/ read -ra questions <<<"${_sallyctl_asked[$kind]-}"
      for question in "${questions[@]}"; do
        read -ra question <<<"$question"
        mapfile -t words < <(_sallyctl_ask "${question[@]}")
        _sallyctl_offer "${words[@]}"
      done
      ;;
  esac
}

# An option of a command is one of its subcommands' too: $command, then the one that it belongs to, at last all of it, "/".
_sallyctl_outwards() {
  local at=$command
  for (( ; ; )); do
    printf '%s\n' "${at:-/}"
    case $at in
      '') return ;;
      *' '*) at=${at% *} ;;
      *) at= ;;
    esac
  done
}

_sallyctl() {
  local program=$1 current=${COMP_WORDS[COMP_CWORD]} command='' option='' kind='' place=1 word i at run_dir=() words
  COMPREPLY=()
  # "--option=value" comes as three words.
  [[ $current == = ]] && current=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      continue
    elif [[ -n $kind ]]; then
      [[ $option == --run-dir ]] && run_dir=(--run-dir "$word")
      kind=
    elif [[ $word == -* ]]; then
      option=$word
      while read -r at && [[ -z $kind ]]; do kind=${_sallyctl_values["$at $option"]-}; done < <(_sallyctl_outwards)
    elif [[ " ${_sallyctl_commands[${command:-/}]-} " == *" $word "* ]]; then
      command=${command:+$command }$word
    else
      ((place++))
    fi
  done
  if [[ -n $kind ]]; then
    _sallyctl_value "$kind"
  elif [[ $current == -* ]]; then
    while read -r at; do
      read -ra words <<<"${_sallyctl_options[$at]-}"
      _sallyctl_offer "${words[@]}"
    done < <(_sallyctl_outwards)
  elif [[ -n ${_sallyctl_commands[${command:-/}]-} ]]; then
    read -ra words <<<"${_sallyctl_commands[${command:-/}]}"
    _sallyctl_offer "${words[@]}"
  else
    _sallyctl_value "${_sallyctl_values["$command $place"]-}"
  fi
}
complete -F _sallyctl sallyctl
