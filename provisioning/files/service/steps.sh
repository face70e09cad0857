# Greets who logs in at a terminal with where they are in the article's steps; `lab step` on the host keeps that in Consul.
# Nothing is said, and nothing is waited for, when Consul does not answer. Read by the login shell, so it leaves no variable.
case $- in
  *i*) (
    greeting=$(curl -qfsS --noproxy '*' -m [[ patience ]] 'http://localhost:8500/v1/kv/workshop/greeting?raw' 2>/dev/null)
    case $? in
      0) printf '%s\n' "$greeting" | tr -cd '[:print:]\n' ;;
      22) echo "The article step by step: 'lab steps' on the host." ;; # Consul answers, and has no such key
    esac
  ) ;;
esac
