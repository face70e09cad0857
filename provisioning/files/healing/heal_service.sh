#!/usr/bin/env bash
# Heals one service: has Jenkins deploy it until its check passes again, with a longer pause after each try
# that did not help.
set -u
. /etc/lab/waiting.sh
service=$1
consul=http://localhost:8500
jenkins=http://[[ lab.master.address ]]:8080
settle=[[ 2 * lab.check_interval + 5 ]]  # seconds in which Consul's check must have seen a new deployment
longest_pause=300

say() { echo "$(date +%H:%M:%S) $service: $*"; }

# What cannot be told is no pass. (`jq -e` would end with 0 on no input at all: its words are compared instead.)
# The agent that makes the check is asked, not the catalogue: a server that starts again plays its past once more.
passes() {
  local said
  said=$(ask -G "$consul/v1/agent/checks" --data-urlencode "filter=ServiceName == \"$service\"" 2>/dev/null)
  case $said in *'"passing"'*) ;; *) return 1 ;; esac # it is asked five times a second, and jq costs 30 ms each time
  [ "$(jq 'length > 0 and all(.[]; .Status == "passing")' <<<"$said")" = true ]
}
is_registered() { ask "$consul/v1/agent/service/$service" >/dev/null 2>&1; }
deployment_runs() { deployment_lock.sh runs "$service"; }
no_deployment_runs() { ! deployment_runs; }
answers() { ask -o /dev/null "$jenkins/api/json" 2>/dev/null; }
cd_is_online() { [ "$(ask "$jenkins/computer/cd/api/json" 2>/dev/null | jq -r .offline)" = false ]; }

crumb() {  # the header without which Jenkins takes no post
  ask "$jenkins/crumbIssuer/api/json" 2>/dev/null | jq -r '.crumbRequestField + ": " + .crumb'
}
build_number() { ask "$jenkins/job/$service/api/json" 2>/dev/null | jq -r .nextBuildNumber; }
build_ended() { ask "$jenkins/job/$service/$1/api/json" 2>/dev/null | grep -q '"building": *false'; }
build_result() { ask "$jenkins/job/$service/$1/api/json" 2>/dev/null | jq -r .result; }

bring_jenkins_back() {
  say "Jenkins does not answer at $jenkins: bringing it back"
  ansible-playbook /vagrant/ansible/jenkins.yml -i /vagrant/ansible/hosts/prod >/dev/null 2>&1
  until_true 60 answers && until_true 60 cd_is_online
}

redeploy() {
  answers && cd_is_online || bring_jenkins_back || { say "Jenkins is not back"; return 1; }
  local number
  number=$(build_number)
  echo "Triggering Jenkins job $jenkins/job/$service/build"
  curl -fsS -m "$(stretched 10)" -o /dev/null -H "$(crumb)" -X POST "$jenkins/job/$service/build" || { say "Jenkins refused"; return 1; }
  until_true 300 build_ended "$number" || { say "build $number has not ended after $(stretched 300) s"; return 1; }
  say "build $number: $(build_result "$number")"
  [ "$(build_result "$number")" = SUCCESS ]
}

pause=5
attempt=0
until passes; do
  is_registered || { say "is not registered with Consul any more: nothing to heal"; exit 0; }
  if deployment_runs; then
    say "a deployment is running: waiting for it"
    until_true 300 no_deployment_runs
    until_true $settle passes && break
  fi
  attempt=$((attempt + 1))
  if redeploy && until_true $settle passes; then break; fi
  passes && break
  say "try $attempt did not help, the next one comes in $pause s"
  until_true $pause passes && break
  pause=$((pause * 2 > longest_pause ? longest_pause : pause * 2))
done
say "passes its check again after $attempt deployments"
