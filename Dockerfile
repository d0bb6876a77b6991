# The image of Meridian: one static program, location data, root certificates. There is no shell in it, and it runs as
# nobody in particular.
#
#     docker build --tag meridian .
#     docker run --publish 53:53/udp --publish 53:53/tcp --volume ./etc:/etc/meridian:ro \
#         --volume state:/var/lib/meridian meridian
#
# The configuration there has to name the volume (`state.folder`, `admin.token_file`) and `geoip.folder`, as
# dist/compose/meridian/meridian.toml does.
#
# glibc, not musl: with musl the same code takes twice the time or more. What is linked statically runs anywhere.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /source
COPY . .
# The target has to be named, else build scripts would be linked statically too, which proc macros can't be.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --bin meridian --target "$(uname -m)-unknown-linux-gnu" \
    && install -D --strip "target/$(uname -m)-unknown-linux-gnu/release/meridian" /image/meridian
# A user for the program, and the folder it may write to.
RUN printf 'meridian:x:65532:65532:Meridian:/var/lib/meridian:/nonexistent\n' >/image/passwd \
    && printf 'meridian:x:65532:\n' >/image/group \
    && mkdir /image/state

FROM scratch
LABEL org.opencontainers.image.title="meridian" \
      org.opencontainers.image.description="An authoritative DNS server that answers each client with the data centre that is right for it" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/passwd /image/group /etc/
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/meridian /usr/bin/meridian
COPY --from=build --chown=65532:65532 /image/state /var/lib/meridian
COPY geoip /usr/share/meridian/geoip
COPY LICENSE LICENSE-APACHE LICENSE-MIT /usr/share/doc/meridian/
USER 65532:65532
# Commands look for meridian.toml here: `docker exec NAME meridian status`.
WORKDIR /etc/meridian
EXPOSE 53/udp 53/tcp 8053/tcp
STOPSIGNAL SIGTERM
# Ends with 4 while queries are not answered. That a data centre is down is no illness of the server.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/bin/meridian", "status", "--ready", "--config", "/etc/meridian/meridian.toml"]
ENTRYPOINT ["/usr/bin/meridian"]
CMD ["serve", "--config", "/etc/meridian/meridian.toml"]
