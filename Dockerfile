# Two images of one static binary:
#   docker build .               only the binary and the certificate authorities, as uid 65532
#   docker build --target ci .   with a shell, for CI hosts that run their scripts inside the image
#
# The digests are those that public Dockerfiles pin for these tags. Update tag and digest together,
# or set your own: --build-arg RUST_IMAGE=…
ARG RUST_IMAGE=rust:1.95-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2
ARG CI_IMAGE=alpine:3.23.4@sha256:5b10f432ef3da1b8d4c7eb6c487f2f5a8f096bc91145e68878dd4a5019afde11

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock README.md ./
COPY benches benches
COPY crates crates
COPY fixtures fixtures
COPY schemas schemas
COPY src src
# This image's target is musl, so the binary is static.
RUN cargo build --locked --profile dist

FROM ${CI_IMAGE} AS ci
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/dist/compliance-gate /usr/local/bin/
# As root, because CI hosts check out as root: another user could not write reports there.
CMD ["compliance-gate"]

FROM scratch AS gate
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/dist/compliance-gate /compliance-gate
USER 65532:65532
ENTRYPOINT ["/compliance-gate"]
