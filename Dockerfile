# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches are the builder's, not the layer's: the program is copied out before they are taken away.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p upshelf && cp target/release/upshelf /usr/local/bin/upshelf

FROM debian:bookworm-slim
RUN useradd --system --uid 7700 --user-group --no-create-home upshelf && install -d -o upshelf -g upshelf /data
COPY --from=build /usr/local/bin/upshelf /usr/local/bin/upshelf
USER upshelf
ENV UPSHELF_ADDR=0.0.0.0:7700 UPSHELF_DATA_DIR=/data
VOLUME /data
EXPOSE 7700
# The shell is there anyway, so health is asked for without another program in the image.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/7700 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["upshelf"]
CMD ["serve"]
