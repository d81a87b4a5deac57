# Prints what bash completes: complete.bash FLAYOUT WORD..., the last one being completed.
. ../completion/flayout
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_flayout "$1"
printf '%s\n' "${COMPREPLY[@]}" | tr '\n' ' '
