# Parley in one container: `docker build --build-arg VERSION=$(git describe --tags --always) -t parley .`
# `docker run -p 127.0.0.1:8080:8080 -v parley:/data parley` runs all of it, with a Postgres of its own in /data;
# with DATABASE_URL it uses that one and starts none. The files of the last stage are put together and run by
# cmd/parley/app/container_test.go too.

FROM --platform=$BUILDPLATFORM golang:1.26.9-bookworm@sha256:d9c68c2c51161e12fd77e4c6320687c9cd86e1af1e3ad6e6cd63ff970641453c AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY db db
COPY platform platform
COPY modules modules
COPY cmd cmd
COPY .tools/dependencies .tools/dependencies
COPY .tools/licenses-allowed .tools/
COPY LICENSE ./
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/parley ./cmd/parley
# What is in the program: its own license, those of its modules, and the list of them (SBOM, CycloneDX).
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -C .tools/dependencies -trimpath -o /usr/local/bin/dependencies . \
    && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH dependencies -version "$VERSION" \
       -licenses /out/doc/third-party-licenses.txt -sbom /out/doc/sbom.cdx.json \
    && cp LICENSE /out/doc/

# Debian's PostgreSQL 15 for the embedded database, and the client programs of PostgreSQL 18 from its own archive, whose key is
# Debian's: they dump and back up every server up to that of compose.yaml. The programs are taken and none of the packages: no
# cluster, no perl, no compiler of queries (LLVM alone is larger than all the rest).
FROM debian:bookworm-20260918-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251 AS postgres
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
    && echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf \
    && apt-get install -y --no-install-recommends postgresql-15 postgresql-client-15 \
    && rm -rf /usr/lib/postgresql/15/lib/bitcode /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/postgresql/15/lib/pgxs \
    && echo 'deb [signed-by=/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc] https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main' \
       >/etc/apt/sources.list.d/pgdg.list \
    && apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-18 \
    && mkdir -p /out/status.d /out/lib \
    && cp -L /usr/lib/*-linux-gnu/libpq.so.5 /out/lib/ \
    && for package in postgresql-15 postgresql-client-15 postgresql-client-18 libpq5; do dpkg-query --status $package >/out/status.d/$package || exit 1; done

FROM debian:bookworm-20260918-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
LABEL org.opencontainers.image.title="parley" \
      org.opencontainers.image.description="the backend of a platform where businesses build AI bots" \
      org.opencontainers.image.licenses="Apache-2.0"
# The libraries of the programs below, and what every program wants of the world outside. initdb asks for the name of
# its user, so the user has one. A new volume takes the owner of /data from here.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       ca-certificates libgssapi-krb5-2 libicu72 libldap-2.5-0 liblz4-1 libpam0g libpq5 libreadline8 libssl3 libsystemd0 libxml2 \
       libzstd1 tzdata zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 parley \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin parley \
    && install -d -o parley -g parley -m 0700 /data
COPY --from=postgres /usr/lib/postgresql/15/bin/initdb /usr/lib/postgresql/15/bin/postgres /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/pg_restore /usr/lib/postgresql/15/bin/
COPY --from=postgres /usr/lib/postgresql/18/bin/pg_basebackup /usr/lib/postgresql/18/bin/pg_dump /usr/lib/postgresql/18/bin/pg_receivewal /usr/lib/postgresql/18/bin/pg_restore /usr/lib/postgresql/18/bin/psql /usr/lib/postgresql/18/bin/
COPY --from=postgres /usr/lib/postgresql/15/lib /usr/lib/postgresql/15/lib
COPY --from=postgres /usr/share/postgresql/15 /usr/share/postgresql/15
COPY --from=postgres /usr/share/doc/postgresql-15/copyright /usr/share/doc/postgresql-15/copyright
COPY --from=postgres /usr/share/doc/postgresql-client-18/copyright /usr/share/doc/postgresql-client-18/copyright
# The newer libpq is found before Debian's, and serves the programs of both versions.
COPY --from=postgres /out/lib /usr/local/lib
# For scanners, which look here for packages whose files are there although dpkg has not installed them.
COPY --from=postgres /out/status.d /var/lib/dpkg/status.d
COPY --from=build /out/doc /usr/share/doc/parley
COPY --from=build /out/parley /usr/local/bin/parley
# A library that the list above lacks is found here, not at the first start.
RUN ldconfig && for program in /usr/lib/postgresql/*/bin/*; do $program --version || exit 1; done

ENV PATH=/usr/local/bin:/usr/lib/postgresql/18/bin:/usr/lib/postgresql/15/bin:/usr/bin:/bin \
    HTTP_ADDR=0.0.0.0:8080 \
    METRICS_ADDR=127.0.0.1:9090 \
    DATA_DIR=/data
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["parley", "health"]
ENTRYPOINT ["/usr/local/bin/parley"]
CMD ["serve"]
