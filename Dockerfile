# SPDX-License-Identifier: Apache-2.0
#
# The image of sluice: `docker build .` makes the program alone (target runtime), `--target tools` one with psql, kcat, curl
# and jq beside it, for the demo job and for people. Only what every builder can do is used here: no BuildKit extensions.
#
#   docker build --target runtime --build-arg REVISION=$(git rev-parse --short HEAD) -t sluice .

# ---------------------------------------------------------------------------------------------------- build

FROM debian:bookworm-slim AS build
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        cmake gcc libavro-dev libc6-dev libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev libpq-dev librdkafka-dev \
        libssl-dev libuv1-dev ninja-build pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Folder by folder: a change of the compose file or of documents compiles nothing again.
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake/
COPY lib lib/
COPY schemas schemas/
COPY producers producers/
COPY processors processors/
COPY sinks sinks/
COPY cli cli/
# What is built is not told by a .git here: the version is the project's, and the revision comes as an argument.
ARG REVISION=
RUN cmake --preset release -DSLUICE_TESTS=OFF -DSLUICE_WERROR=OFF "-DSLUICE_REVISION=$REVISION" \
    && ninja -C build/release sluice \
    && strip --strip-unneeded -o /sluice build/release/sluice

# ---------------------------------------------------------------------------------------------------- runtime

FROM debian:bookworm-slim AS runtime
# The user has a number, so that volumes, Kubernetes' runAsNonRoot and other images can rely on it. A new volume mounted at
# the folder for secrets takes over its owner and mode.
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        ca-certificates libavro23 libcurl4 libjansson4 libmicrohttpd12 libpq5 librdkafka1 libssl3 libuv1 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluice \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/sluice /var/lib/sluice/secrets
COPY LICENSE /usr/share/doc/sluice/LICENSE
COPY deploy/compose/secrets.sh /usr/local/lib/sluice/
COPY --from=build /sluice /usr/local/bin/sluice
# Also the proof that no shared library is missing.
RUN sluice version

ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Transactional outbox to Kafka, signed callbacks, outcomes: one native program" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# As PID 1 sluice takes signals and buries orphans itself; nothing stands before it.
USER 10001:10001
WORKDIR /
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluice"]
CMD ["--help"]

# ---------------------------------------------------------------------------------------------------- tools

FROM runtime AS tools
USER 0:0
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends curl jq kcat postgresql-client-15 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/apt /var/log/dpkg.log
COPY deploy/compose/demo.sh /usr/local/lib/sluice/
USER 10001:10001
ENTRYPOINT []
CMD ["bash"]
