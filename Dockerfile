# Builds the one binary in a bare Rust image and runs it in a small one as a user without rights.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make pkg-config libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/tidegate tidegate
COPY --from=build /source/target/release/tidegate /usr/local/bin/tidegate
USER tidegate
WORKDIR /var/lib/tidegate
# REST 8083, sync 8084, gateway 8082; the node ports 18083 and 18082 answer /health, /ready and /metrics.
EXPOSE 8082 8083 8084 18082 18083
ENTRYPOINT ["tidegate"]
CMD ["--help"]
