# Markaz with espeak-ng for the spoken texts. The binary itself is static.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=container
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/ ./cmd/markaz ./cmd/markaz-legacy

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends espeak-ng ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/markaz markaz \
 && install -d -o markaz -g markaz /var/lib/markaz /var/lib/markaz/prompts
COPY --from=build /out/ /usr/bin/
USER markaz
VOLUME /var/lib/markaz
ENTRYPOINT ["/usr/bin/markaz"]
CMD ["serve", "--config", "/etc/markaz/markaz.yaml"]
HEALTHCHECK --interval=15s --timeout=5s CMD ["/usr/bin/markaz", "doctor", "--quick", "--config", "/etc/markaz/markaz.yaml"]
