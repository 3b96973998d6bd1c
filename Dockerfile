# syntax=docker/dockerfile:1
# The service needs DATABASE_URL and ENTRA_ASSETS_MASTER_KEY. The image contains no PostgreSQL, so there is no
# embedded database; compose.yaml shows a complete installation.
#
# The base images are named by their tags, so each build takes their latest fixes. Where builds must be repeatable, name
# them by digest, which `docker buildx imagetools inspect debian:bookworm-slim` shows:
#
#   docker build --build-arg RUNTIME_IMAGE=debian:bookworm-slim@sha256:… --build-arg RUST_IMAGE=… --build-arg NODE_IMAGE=… .

ARG NODE_IMAGE=node:20-bookworm-slim
ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS console
WORKDIR /src/console
COPY console/package.json console/package-lock.json console/.npmrc ./
RUN --mount=type=cache,target=/npm-cache npm ci --cache /npm-cache --no-fund --no-audit
COPY openapi/openapi.json /src/openapi/openapi.json
COPY console .
RUN npm run build

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# `simulators` adds the commands `simulate`, `demo` and `bench`.
ARG FEATURES=""
# What `entra-assets version` says.
ARG COMMIT=""
ENV ENTRA_ASSETS_COMMIT=$COMMIT
COPY . .
COPY --from=console /src/console/dist console/dist
RUN --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --package entra-assets --no-default-features --features "otlp $FEATURES" && cp target/release/entra-assets /entra-assets

FROM ${RUNTIME_IMAGE}
# The trusted certificate authorities; ENTRA_ASSETS_CA_FILE adds those of a proxy.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin entra-assets
COPY --from=build /entra-assets /usr/local/bin/entra-assets
LABEL org.opencontainers.image.title="entra-assets" \
    org.opencontainers.image.description="Imports Microsoft Entra ID into Jira Service Management Assets" \
    org.opencontainers.image.licenses="MIT"
USER 10001:10001
ENV ENTRA_ASSETS_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# Every role answers /readyz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["entra-assets", "health"]
ENTRYPOINT ["entra-assets"]
CMD ["serve"]
