module bluegreen-lab/swarm

go 1.26.0

require (
	github.com/coreos/etcd v3.3.25+incompatible
	github.com/docker/distribution v2.7.1+incompatible
	github.com/docker/docker v1.4.2-0.20170802015333-8af4db6f002a
	github.com/docker/go-connections v0.3.0
	github.com/docker/go-events v0.0.0-20170721190031-9461782956ad
	github.com/docker/go-units v0.5.0
	github.com/docker/leadership v0.1.0
	github.com/docker/libkv v0.2.1
	github.com/docker/swarm v1.2.9
	github.com/docker/swarmkit v1.12.1-0.20170818183140-ddb4539f883b
	github.com/gorilla/mux v1.8.1
	github.com/hashicorp/consul v0.8.5
	github.com/samuel/go-zookeeper v0.0.0-20190923202752-2cc03de413da
	github.com/sirupsen/logrus v1.9.3
	github.com/skarademir/naturalsort v0.0.0-20150715044055-69a5d87bef62
	github.com/urfave/cli v1.20.0
	golang.org/x/net v0.59.0
)

require (
	github.com/coreos/go-semver v0.3.1 // indirect
	github.com/docker/libtrust v0.0.0-20160708172513-aabc10ec26b7 // indirect
	github.com/gogo/protobuf v1.3.2 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-rootcerts v1.1.0 // indirect
	github.com/hashicorp/serf v0.11.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)

replace github.com/docker/swarm => ./gen/swarm
