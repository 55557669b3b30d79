/** Completion for zsh, to be sourced after compinit or put on the fpath as _calve. */
export const zshScript = `#compdef calve
# calve completion for zsh: source <(calve completion zsh)
_calve() {
  local line tab=$'\\t'
  local -a names notes
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    [[ -n $line ]] || continue
    names+=("\${line%%$tab*}")
    notes+=("\${line/$tab/  }")
  done
  compadd -l -d notes -a names
}
if [[ \${funcstack[1]} == _calve ]]; then
  _calve "$@"
else
  compdef _calve calve
fi`;
