module bluegreen-lab/registrator

go 1.21

require (
	github.com/armon/consul-api v0.0.0-20180202201655-eb2c6b5be1b6
	github.com/cenkalti/backoff v1.0.0
	github.com/coreos/go-etcd v2.0.0+incompatible
	github.com/fsouza/go-dockerclient v1.6.6
	github.com/gliderlabs/registrator v0.4.0
)

replace github.com/gliderlabs/registrator => ./gen/registrator
