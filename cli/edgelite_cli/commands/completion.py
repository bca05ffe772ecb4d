"""`edgelite completion bash|zsh|fish`: the script that lets the shell complete commands, kinds and names."""

from __future__ import annotations

import sys

from edgelite_cli import options
from edgelite_cli.main import COMMANDS

KINDS = ("nodes", "pods", "daemonsets", "configmaps", "secrets", "devices", "devicemodels", "jointokens", "artifacts")

BASH = """# edgelite completion: eval "$(edgelite completion bash)"
_edgelite_names() { edgelite get "$1" -o name 2>/dev/null | sed 's|.*/||'; }
_edgelite() {
  local word="${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "@COMMANDS@" -- "$word"))
    return
  fi
  case "${COMP_WORDS[1]}" in
    get|describe|delete)
      if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "@KINDS@" -- "$word"))
      else COMPREPLY=($(compgen -W "$(_edgelite_names "${COMP_WORDS[2]}")" -- "$word")); fi ;;
    logs) COMPREPLY=($(compgen -W "$(_edgelite_names pods)" -- "$word")) ;;
    telemetry) COMPREPLY=($(compgen -W "$(_edgelite_names devices)" -- "$word")) ;;
    adopt) COMPREPLY=($(compgen -W "$(_edgelite_names nodes)" -- "$word")) ;;
    token) COMPREPLY=($(compgen -W "create list revoke" -- "$word")) ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -F _edgelite edgelite
"""

ZSH = (
    '# edgelite completion: eval "$(edgelite completion zsh)"\nautoload -Uz bashcompinit && bashcompinit\n'
    + BASH.split("\n", 1)[1]
)

FISH = """# edgelite completion: edgelite completion fish | source
function __edgelite_names; edgelite get $argv[1] -o name 2>/dev/null | string replace -r '.*/' ''; end
complete -c edgelite -f -n __fish_use_subcommand -a "@COMMANDS@"
complete -c edgelite -f -n "__fish_seen_subcommand_from get describe delete" -a "@KINDS@"
complete -c edgelite -f -n "__fish_seen_subcommand_from logs" -a "(__edgelite_names pods)"
complete -c edgelite -f -n "__fish_seen_subcommand_from telemetry" -a "(__edgelite_names devices)"
complete -c edgelite -f -n "__fish_seen_subcommand_from adopt" -a "(__edgelite_names nodes)"
complete -c edgelite -f -n "__fish_seen_subcommand_from token" -a "create list revoke"
complete -c edgelite -F -n "__fish_seen_subcommand_from apply push"
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def main(arguments: list[str]) -> int:
    made = options.parser("completion", "Print a completion script.", 'example: eval "$(edgelite completion bash)"')
    made.add_argument("shell", choices=sorted(SCRIPTS))
    script = SCRIPTS[made.parse_args(arguments).shell]
    sys.stdout.write(script.replace("@COMMANDS@", " ".join(COMMANDS)).replace("@KINDS@", " ".join(KINDS)))
    return 0
