#!/bin/sh
# Builds the guest program for both architectures into runtime/agent/bin, where
# `vm` embeds it. Same sources, same bytes.
set -eu
cd "$(dirname "$0")/.."
for arch in amd64 arm64; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false -tags vmagent \
		-ldflags '-s -w -buildid=' -o "runtime/agent/bin/vm-agent-linux-$arch" ./cmd/vm-agent
done
