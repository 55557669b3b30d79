/** Completion for fish 3 and later. */
export const fishScript = `# calve completion for fish: calve completion fish > ~/.config/fish/completions/calve.fish
function __calve_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    if contains -- :files $found
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete -c calve -f -a '(__calve_complete)'`;
