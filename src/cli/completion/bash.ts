/** Completion for bash 4 and later; needs no other package. */
export const bashScript = `# calve completion for bash: source <(calve completion bash)
_calve() {
  # Not COMP_WORDS: bash splits those at the colon of debian:12.
  local line=\${COMP_LINE:0:COMP_POINT} words current candidate
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]} - 1]}
  # What stands before the last colon or equals sign is on the line already, and readline keeps it.
  local kept=
  [[ $current == *:* && $COMP_WORDBREAKS == *:* ]] && kept=\${current%"\${current##*:}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    if [[ $candidate == :files ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
    fi
    [[ $candidate == "$current"* ]] && COMPREPLY+=("\${candidate#"$kept"}")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _calve calve`;
